#include "tools/isometry/lanczos.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/linalg.h"
#include "core/ops.h"
#include "core/random.h"

namespace rz::isometry {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

double norm(const Tensor& x) { return std::sqrt(ops::sum_of_squares(x).item()); }

void subtract(const Tensor& x, double factor, const Tensor& y) {
  double* const to = x.data<double>();
  const double* const from = y.data<double>();
  for (std::int64_t i = 0; i < x.elements(); ++i) to[i] -= factor * from[i];
}

// Orthonormal rows, one more at a time.
class Basis {
 public:
  Basis(std::int64_t most, std::int64_t n, Random& random) : rows_({most, n}, DType::f64), random_(random) {}

  Tensor last() const { return rows_.rows(size_ - 1, 1); }
  bool full() const { return size_ == rows_.shape()[1]; }

  // Makes w [1, n] orthogonal to all rows, twice; its norm.
  double orthogonalize(const Tensor& w) const {
    for (int pass = 0; size_ > 0 && pass < 2; ++pass) {
      const Tensor rows = rows_.rows(0, size_);
      const Tensor part = ops::gemm(Transpose::no, w, Transpose::yes, rows);
      subtract(w, 1, ops::gemm(Transpose::no, part, Transpose::no, rows));
    }
    return norm(w);
  }
  void append(const Tensor& w, double length) { ops::scale(1 / length, w, {rows_.rows(size_++, 1)}); }
  void append_random() {
    Tensor w = normal_tensor({1, rows_.shape()[1]}, random_);
    for (int pass = 0; pass < 2; ++pass)  // against a basis that is nearly full the first loses digits
      w = ops::scale(1 / orthogonalize(w), w);
    append(w, 1);
  }

 private:
  Tensor rows_;
  std::int64_t size_ = 0;
  Random& random_;
};

Tensor finite_product(const std::function<Tensor(const Tensor&)>& f, const Tensor& v, const char* what) {
  const Tensor result = f(v).clone();
  check_finite(result, "lanczos", what);
  return result;
}

}  // namespace

Tensor Bidiagonal::matrix() const {
  const std::int64_t s = std::ssize(alpha);
  Tensor b = Tensor::zeros({s, s}, DType::f64);
  for (std::int64_t i = 0; i < s; ++i) {
    b.data<double>()[i * s + i] = alpha[static_cast<std::size_t>(i)];
    if (i + 1 < s) b.data<double>()[i * s + i + 1] = beta[static_cast<std::size_t>(i)];
  }
  return b;
}

Bidiagonal bidiagonalize(const LinearOperator& op, const Tensor& start, std::int64_t steps, bool restart,
                         std::uint64_t seed) {
  RZ_CHECK(shape, op.cols <= op.rows, "lanczos: {} x {}: more columns than rows, take the transpose", op.rows, op.cols);
  const double length = norm(start);
  RZ_CHECK(value, length > 0, "lanczos: the start is 0, but must be a direction");
  Random random(seed, stream_named("lanczos/restart"));
  Basis u(steps, op.rows, random), v(steps, op.cols, random);
  v.append(start, length);
  Bidiagonal b;
  double scale = 0;  // of the operator, so far
  const auto negligible = [&](double x) { return x <= static_cast<double>(op.rows) * eps * scale; };
  for (std::int64_t s = 0; s < steps; ++s) {
    const Tensor w = finite_product(op.apply, v.last(), "the product J v");
    scale = std::max(scale, norm(w));
    if (s > 0) subtract(w, b.beta.back(), u.last());
    const double alpha = u.orthogonalize(w);
    const bool lost = negligible(alpha);
    b.alpha.push_back(lost ? 0 : alpha);
    if (lost && !restart) {
      b.beta.push_back(0);
      break;
    }
    if (lost)
      u.append_random();
    else
      u.append(w, alpha);

    const Tensor z = finite_product(op.apply_transpose, u.last(), "the product J^T u");
    scale = std::max(scale, norm(z));
    subtract(z, b.alpha.back(), v.last());
    const double beta = v.orthogonalize(z);
    const bool ended = v.full() || negligible(beta);
    b.beta.push_back(ended ? 0 : beta);
    if (s + 1 == steps || (ended && !restart) || v.full()) break;
    if (ended)
      v.append_random();
    else
      v.append(z, beta);
  }
  return b;
}

ExtremeValues extreme_singular_values(const LinearOperator& op, std::int64_t count, std::int64_t steps,
                                      std::uint64_t seed) {
  const std::int64_t all = std::min(op.rows, op.cols);
  if (steps == 0) steps = all;
  RZ_CHECK(value, steps >= 1 && steps <= all && count >= 1 && count <= steps,
           "lanczos: {} values by {} steps of a {} x {} operator: 1 <= values <= steps <= {} must hold", count, steps,
           op.rows, op.cols, all);
  const LinearOperator tall = op.rows < op.cols ? transposed(op) : op;
  Random random(seed, stream_named("lanczos/start"));
  const Bidiagonal b = bidiagonalize(tall, normal_tensor({1, tall.cols}, random), steps, true, seed);
  const Svd parts = svd(b.matrix(), "the bidiagonal matrix");
  const double rounding = static_cast<double>(std::max(op.rows, op.cols)) * eps * parts.sigma.front();
  ExtremeValues result{.largest = {}, .smallest = {}, .steps = steps, .complete = steps == all};
  for (std::int64_t i = 0; i < steps; ++i) {
    const double last = parts.u.data<double>()[(steps - 1) * steps + i];
    const SingularEstimate estimate{parts.sigma[static_cast<std::size_t>(i)],
                                    b.beta.back() * std::fabs(last) + rounding};
    if (i < count) result.largest.push_back(estimate);
    if (i >= steps - count) result.smallest.push_back(estimate);
  }
  std::reverse(result.smallest.begin(), result.smallest.end());
  return result;
}

}  // namespace rz::isometry
