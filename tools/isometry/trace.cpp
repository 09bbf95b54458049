#include "tools/isometry/trace.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/linalg.h"
#include "core/ops.h"

namespace rz::isometry {
namespace {

using Forms = std::vector<std::vector<double>>;  // [powers][vectors]

std::vector<double> squared_norms(const Tensor& x) {
  const std::int64_t n = x.shape()[1];
  std::vector<double> squares;
  for (std::int64_t i = 0; i < x.shape()[0]; ++i) {
    const double* const row = x.data<double>() + i * n;
    squares.push_back(std::inner_product(row, row + n, row, 0.0));
  }
  return squares;
}

// z^T (J^T J)^k z for the rows z of x [vectors, cols]: |J y|^2 and |J^T J y|^2 of y = z, J^T J z, ...
Forms quadratic_forms(const LinearOperator& op, Tensor x, std::int64_t powers) {
  Forms forms;
  while (std::ssize(forms) < powers) {
    const Tensor image = op.apply(x);
    forms.push_back(squared_norms(image));
    if (std::ssize(forms) == powers) break;
    x = op.apply_transpose(image);
    forms.push_back(squared_norms(x));
  }
  return forms;
}

// J with its smaller side as columns: the spectrum of J^T J is that of J J^T without zeros that are no singular values.
LinearOperator narrow(const LinearOperator& op) { return op.rows < op.cols ? transposed(op) : op; }

// x - (x q^T) q: rows without their part in the span of the rows of q.
Tensor without(const Tensor& x, const Tensor& q) {
  Tensor rest = x;
  for (int pass = 0; pass < 2; ++pass) {
    const Tensor part = ops::gemm(Transpose::no, rest, Transpose::yes, q);
    rest = ops::binary(Binary::subtract, rest, ops::gemm(Transpose::no, part, Transpose::no, q));
  }
  return rest;
}

}  // namespace

Tensor signs(const Shape& shape, Random& random) {
  Tensor result(shape, DType::f64);
  for (std::int64_t i = 0; i < shape.elements(); ++i)
    result.data<double>()[i] = (random.bits() >> 63) != 0 ? 1.0 : -1.0;
  return result;
}

Tensor signs(std::int64_t count, std::int64_t n, std::uint64_t seed, std::string_view stream) {
  Random random(seed, stream_named(stream));
  return signs({count, n}, random);
}

std::vector<Estimate> hutchinson_moments(const LinearOperator& op, std::int64_t powers, std::int64_t probes,
                                         std::uint64_t seed) {
  RZ_CHECK(value, powers >= 1 && probes >= 2, "trace: {} moments of {} probes: at least 1 of 2 are needed", powers,
           probes);
  const LinearOperator a = narrow(op);
  std::vector<Estimate> moments;
  for (std::vector<double>& forms : quadratic_forms(a, signs(probes, a.cols, seed, "trace/probes"), powers)) {
    for (double& form : forms) form /= static_cast<double>(a.cols);
    moments.push_back(mean_of(forms));
  }
  return moments;
}

std::vector<Estimate> hutchpp_moments(const LinearOperator& op, std::int64_t powers, std::int64_t probes,
                                      std::uint64_t seed) {
  RZ_CHECK(value, powers >= 1 && probes >= 6, "trace: {} moments of {} probes: at least 1 of 6 are needed", powers,
           probes);
  const LinearOperator a = narrow(op);
  const std::int64_t third = probes / 3, sketches = std::min(third, a.cols);
  const Tensor image = a.apply_transpose(a.apply(signs(sketches, a.cols, seed, "trace/sketch")));
  const int axes[] = {1, 0};
  const Tensor q = ops::permute(qr(ops::permute(image, axes), "the sketch").q, axes);
  const Forms inside = quadratic_forms(a, q, powers);
  Forms outside = quadratic_forms(a, without(signs(third, a.cols, seed, "trace/probes"), q), powers);
  std::vector<Estimate> moments;
  for (std::size_t k = 0; k < outside.size(); ++k) {
    const double exact = std::accumulate(inside[k].begin(), inside[k].end(), 0.0);
    for (double& form : outside[k]) form = (form + exact) / static_cast<double>(a.cols);
    moments.push_back(mean_of(outside[k]));
  }
  return moments;
}

}  // namespace rz::isometry
