#include "tools/isometry/lanczos.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "core/linalg.h"
#include "isometry/matrix_operator.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

double distance(double x, const std::vector<double>& sigma) {
  double nearest = std::numeric_limits<double>::infinity();
  for (const double s : sigma) nearest = std::min(nearest, std::fabs(x - s));
  return nearest;
}

TEST_CASE("lanczos: the full length gives both ends of the spectrum, for every shape") {
  struct Extents {
    std::int64_t rows, cols;
  };
  for (const Extents& e : {Extents{1, 1}, {30, 30}, {20, 50}, {50, 20}, {1, 7}}) {
    CAPTURE(e.rows);
    CAPTURE(e.cols);
    const Tensor a = normal_input({e.rows, e.cols}, "lanczos");
    const std::vector<double> sigma = svdvals(a);
    const std::int64_t count = std::min<std::int64_t>(5, std::ssize(sigma));
    const ExtremeValues x = extreme_singular_values(operator_of(a), count);
    CHECK(x.complete);
    REQUIRE(std::ssize(x.largest) == count);
    REQUIRE(std::ssize(x.smallest) == count);
    for (std::size_t i = 0; i < x.largest.size(); ++i) {
      CHECK(std::fabs(x.largest[i].value - sigma[i]) <= x.largest[i].bound);
      CHECK(std::fabs(x.smallest[i].value - sigma[sigma.size() - 1 - i]) <= x.smallest[i].bound);
      CHECK(x.largest[i].bound < 1e-12);
    }
  }
}

TEST_CASE("lanczos: few steps find the largest, and the bounds say what has converged") {
  const std::int64_t n = 200;
  std::vector<double> sigma;
  for (std::int64_t i = 0; i < n; ++i)
    sigma.push_back(i < 5 ? 10.0 - static_cast<double>(i) : 0.99 - 0.0049 * static_cast<double>(i));
  const Tensor left = qr(normal_input({n, n}, "left")).q, right = qr(normal_input({n, n}, "right")).q;
  Tensor scaled = right.clone();
  for (std::int64_t i = 0; i < n * n; ++i) scaled.data<double>()[i] *= sigma[static_cast<std::size_t>(i / n)];
  const LinearOperator op = operator_of(ops::gemm(Transpose::no, left, Transpose::no, scaled));
  const ExtremeValues x = extreme_singular_values(op, 5, 30);
  CHECK_FALSE(x.complete);
  CHECK(x.steps == 30);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(close(x.largest[i].value, sigma[i], 1e-11));
    CHECK(x.largest[i].bound < 1e-6);
    CHECK(distance(x.smallest[i].value, sigma) <= x.smallest[i].bound);
  }
  CHECK(x.smallest[0].bound > 1e-4);  // not converged, and not said to be
  const ExtremeValues again = extreme_singular_values(op, 5, 30);
  CHECK(again.largest[4].value == x.largest[4].value);
  CHECK(extreme_singular_values(op, 5, 30, 1).smallest[0].value != x.smallest[0].value);  // another start
}

TEST_CASE("lanczos: every bound holds, for many operators and lengths") {
  int values = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Tensor a = normal_input({25, 18}, "bound" + std::to_string(seed));
    const std::vector<double> sigma = svdvals(a);
    for (const std::int64_t steps : {1, 4, 9, 17, 18}) {
      const ExtremeValues x = extreme_singular_values(operator_of(a), steps, steps, seed);
      for (const SingularEstimate& e : x.largest) {
        CHECK(distance(e.value, sigma) <= e.bound);
        ++values;
      }
    }
  }
  CHECK(values == 20 * 49);
}

TEST_CASE("lanczos: equal values, zeros and exhausted Krylov spaces") {
  const ExtremeValues identity = extreme_singular_values(operator_of(Tensor::identity(40)), 40);
  for (const SingularEstimate& e : identity.largest) CHECK(std::fabs(e.value - 1) <= e.bound);
  const ExtremeValues zero = extreme_singular_values(operator_of(Tensor::zeros({6, 9}, DType::f64)), 6);
  for (const SingularEstimate& e : zero.largest) CHECK(e.value == 0);
  const std::vector<double> sigma{3, 3, 3, 2, 2, 1, 0, 0};
  const ExtremeValues few = extreme_singular_values(diagonal_operator(sigma), 8);
  for (std::size_t i = 0; i < 8; ++i) CHECK(close(few.largest[i].value, sigma[i], 1e-14));
  // Without a restart the process ends with the distinct values.
  const Tensor start = Tensor::full({1, 8}, 1, DType::f64);
  const Bidiagonal b = bidiagonalize(diagonal_operator(sigma), start, 8, false, 0);
  CHECK(b.alpha.size() == 4);
  CHECK(b.beta.back() == 0);
}

TEST_CASE("lanczos: the Jacobian of a function as an operator") {
  const Tensor w = normal_input({7, 5}, "weight"), x = normal_input({1, 5}, "x");
  const Function f = [&](const Variable& v) { return tanh(linear(v, Variable(w), Variable())); };
  const LinearOperator op = jacobian_operator(f, x);
  CHECK(op.rows == 7);
  CHECK(op.cols == 5);
  const Tensor j = jacobian(f, x), v = normal_input({3, 5}, "v"), u = normal_input({4, 7}, "u");
  CHECK(close(op.apply(v), ops::gemm(Transpose::no, v, Transpose::yes, j), 1e-14));
  CHECK(close(op.apply_transpose(u), ops::gemm(Transpose::no, u, Transpose::no, j), 1e-14));
  const ExtremeValues extreme = extreme_singular_values(op, 5);
  const std::vector<double> sigma = svdvals(j);
  for (std::size_t i = 0; i < 5; ++i) CHECK(close(extreme.largest[i].value, sigma[i], 1e-13));
  const Tensor x32 = x.to(DType::f32), w32 = w.to(DType::f32);
  const LinearOperator rough =
      jacobian_operator([&](const Variable& y) { return tanh(linear(y, Variable(w32), Variable())); }, x32);
  CHECK(rough.apply(v).dtype() == DType::f64);
  CHECK(close(rough.apply(v), op.apply(v), 1e-5));
  CHECK(close(rough.apply_transpose(u), op.apply_transpose(u), 1e-5));
}

TEST_CASE("lanczos: wrong requests are refused") {
  const LinearOperator op = operator_of(normal_input({4, 3}, "refused"));
  for (const auto& [count, steps] : {std::pair<std::int64_t, std::int64_t>{0, 3}, {4, 3}, {1, 4}, {1, -1}})
    CHECK(
        mentions(message_of(ErrorCode::value, [&] { extreme_singular_values(op, count, steps); }), {"4 x 3", "<= 3"}));
  CHECK(mentions(message_of(ErrorCode::shape,
                            [&] { bidiagonalize(transposed(op), Tensor::full({1, 4}, 1, DType::f64), 2, true, 0); }),
                 {"3 x 4", "transpose"}));
  CHECK(
      mentions(message_of(ErrorCode::value, [&] { bidiagonalize(op, Tensor::zeros({1, 3}, DType::f64), 2, true, 0); }),
               {"start is 0"}));
  LinearOperator bad = op;
  bad.apply = [](const Tensor& v) { return Tensor::full({v.shape()[0], 4}, NAN, DType::f64); };
  CHECK(mentions(message_of(ErrorCode::value, [&] { extreme_singular_values(bad, 1); }), {"J v", "nan"}));
}

}  // namespace
