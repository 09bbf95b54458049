#include "tools/isometry/trace.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "core/linalg.h"
#include "isometry/matrix_operator.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

std::vector<double> exact_moments(const std::vector<double>& sigma, int powers) {
  std::vector<double> moments;
  for (int k = 1; k <= powers; ++k) {
    double sum = 0;
    for (const double s : sigma) sum += std::pow(s, 2 * k);
    moments.push_back(sum / static_cast<double>(sigma.size()));
  }
  return moments;
}

// A spectrum that falls as a power.
Tensor spiky(std::int64_t rows, std::int64_t cols) {
  const std::int64_t k = std::min(rows, cols);
  Tensor right = qr(normal_input({cols, k}, "right")).q;
  for (std::int64_t i = 0; i < cols * k; ++i) right.data<double>()[i] *= std::pow(static_cast<double>(1 + i % k), -1.5);
  return ops::gemm(Transpose::no, qr(normal_input({rows, k}, "left")).q, Transpose::yes, right);
}

using MomentsEstimator = std::vector<Estimate> (*)(const LinearOperator&, std::int64_t, std::int64_t, std::uint64_t);

// Of many seeds: how far off in standard errors, squared, the mean over seeds for each moment.
struct Coverage {
  std::vector<double> mean, mean_square, rms_error;  // of (estimate - exact) / standard error; of estimate - exact
};
Coverage coverage(MomentsEstimator estimate, const Tensor& a, int powers, std::int64_t probes) {
  constexpr int seeds = 200;
  const std::vector<double> exact = exact_moments(svdvals(a), powers);
  Coverage c{std::vector<double>(exact.size()), std::vector<double>(exact.size()), std::vector<double>(exact.size())};
  const LinearOperator op = operator_of(a);
  for (int seed = 0; seed < seeds; ++seed) {
    const std::vector<Estimate> moments = estimate(op, powers, probes, static_cast<std::uint64_t>(seed));
    for (std::size_t k = 0; k < exact.size(); ++k) {
      const double off = moments[k].value - exact[k], z = off / moments[k].standard_error;
      c.mean[k] += z / seeds;
      c.mean_square[k] += z * z / seeds;
      c.rms_error[k] += off * off / seeds;
    }
  }
  for (double& x : c.rms_error) x = std::sqrt(x);
  return c;
}

TEST_CASE("trace: standard errors are honest over many seeds") {
  for (const Tensor& a : {normal_input({100, 120}, "flat"), normal_input({120, 100}, "flat"), spiky(100, 100)}) {
    for (const MomentsEstimator estimate : {&hutchinson_moments, &hutchpp_moments}) {
      const Coverage c = coverage(estimate, a, 4, 120);
      for (std::size_t k = 0; k < c.mean.size(); ++k) {
        CAPTURE(k);
        CHECK(std::fabs(c.mean[k]) < 0.35);  // no bias; a ratio of a skewed estimate and its error is not quite centred
        CHECK(c.mean_square[k] > 0.75);
        CHECK(c.mean_square[k] < 2);
      }
    }
  }
}

TEST_CASE("trace: Hutch++ beats Hutchinson where a few values rule") {
  const Tensor a = spiky(80, 80);
  const Coverage plain = coverage(&hutchinson_moments, a, 2, 60), better = coverage(&hutchpp_moments, a, 2, 60);
  for (std::size_t k = 0; k < 2; ++k) CHECK(better.rms_error[k] < 0.02 * plain.rms_error[k]);
}

TEST_CASE("trace: exact for diagonal operators, and for subspaces that hold everything") {
  const std::vector<double> sigma{3, 2, 1, 0.5, 0, 7};
  const std::vector<double> exact = exact_moments(sigma, 5);
  const std::vector<Estimate> plain = hutchinson_moments(diagonal_operator(sigma), 5, 4);
  const Tensor a = normal_input({9, 6}, "small");
  const std::vector<double> dense = exact_moments(svdvals(a), 5);
  const std::vector<Estimate> whole = hutchpp_moments(operator_of(a), 5, 60);
  for (std::size_t k = 0; k < 5; ++k) {
    CHECK(close(plain[k].value, exact[k], 1e-14));  // signs: z_i^2 = 1
    CHECK(plain[k].standard_error <= 1e-14 * exact[k]);
    CHECK(close(whole[k].value, dense[k], 1e-12));
  }
  CHECK(hutchinson_moments(diagonal_operator(sigma), 1, 2).size() == 1);
}

TEST_CASE("trace: the variance of Hutchinson's estimate is 2 (|A|_F^2 - sum a_ii^2) / probes") {
  const Tensor a = normal_input({30, 30}, "variance");
  const Tensor g = ops::gemm(Transpose::yes, a, Transpose::no, a);
  double squares = 0;
  for (std::int64_t i = 0; i < 900; ++i) squares += i % 31 == 0 ? 0 : std::pow(g.data<double>()[i], 2);
  const double expected = std::sqrt(2 * squares / 400) / 30;
  CHECK(close(hutchinson_moments(operator_of(a), 1, 400)[0].standard_error / expected, 1, 0.15));
}

TEST_CASE("trace: wrong requests are refused") {
  const LinearOperator op = operator_of(Tensor::identity(3));
  CHECK(mentions(message_of(ErrorCode::value, [&] { hutchinson_moments(op, 0, 9); }), {"0 moments"}));
  CHECK(mentions(message_of(ErrorCode::value, [&] { hutchinson_moments(op, 1, 1); }), {"1 probes"}));
  CHECK(mentions(message_of(ErrorCode::value, [&] { hutchpp_moments(op, 1, 5); }), {"5 probes", "6"}));
}

}  // namespace
