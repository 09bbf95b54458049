#include "tools/isometry/slq.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/linalg.h"
#include "isometry/matrix_operator.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

double log_sigma(double lambda) { return 0.5 * std::log(lambda); }

// 1,000 singular values spread evenly in the logarithm from 1e-6 to 10^0.5.
std::vector<double> log_spaced() {
  std::vector<double> sigma;
  for (int i = 0; i < 1000; ++i) sigma.push_back(std::pow(10.0, -6 + 6.5 * i / 999));
  return sigma;
}

TEST_CASE("quadrature: the mean of log sigma of a wide spectrum is as wrong as known") {
  const std::vector<double> sigma = log_spaced();
  double exact = 0, trace = 0;
  for (const double s : sigma) exact += std::log(s) / 1000, trace += s * s / 1000;
  int entries = 0;
  // Of signs on a diagonal operator all probes are equal: two tell as much as the ten of the reference.
  for (const char* const name : {"slq_logspaced_1e-6_to_3.16", "gkl_quadrature"}) {
    for (const nlohmann::json& entry : reference("ref08_extra.json")[name]) {
      if (!entry.value("reorth", true)) continue;  // without reorthogonalisation: not offered
      const std::int64_t steps = entry["k"];
      CAPTURE(steps);
      ++entries;
      const std::vector<Quadrature> rules = lanczos_quadrature(diagonal_operator(sigma), steps, 2);
      CHECK(close(spectral_mean(rules, log_sigma).value, entry["mean_log_s_est"].get<double>(), 1e-5));
      CHECK(close(spectral_mean(rules, [](double x) { return x; }).value, trace, 1e-13));
      CHECK(exact < spectral_mean(rules, log_sigma).value - 1.5);
    }
  }
  CHECK(close(exact, -6.332109005733626, 1e-12));
  CHECK(entries == 8);
}

TEST_CASE("quadrature: weights sum to 1, and 2 s - 1 moments are those of the probe") {
  const Tensor a = normal_input({30, 45}, "gauss");
  for (const std::int64_t steps : {1, 3, 10, 30}) {
    const std::vector<Quadrature> rules = lanczos_quadrature(operator_of(a), steps, 3, 5);
    REQUIRE(rules.size() == 3);
    Tensor z = signs(3, 30, 5, "quadrature/probes");
    const Tensor gram = ops::gemm(Transpose::no, a, Transpose::yes, a);
    Tensor power = z;
    for (std::int64_t k = 0; k <= std::min<std::int64_t>(2 * steps - 1, 12); ++k) {
      for (std::size_t p = 0; p < rules.size(); ++p) {
        double exact = 0, rule = 0;
        for (std::int64_t i = 0; i < 30; ++i)
          exact += z.rows(static_cast<std::int64_t>(p), 1).data<double>()[i] *
                   power.rows(static_cast<std::int64_t>(p), 1).data<double>()[i] / 30;
        for (std::size_t i = 0; i < rules[p].lambda.size(); ++i)
          rule += rules[p].weight[i] * std::pow(rules[p].lambda[i], static_cast<double>(k));
        CHECK(close(rule / exact, 1, 1e-12));
      }
      power = ops::gemm(Transpose::no, power, Transpose::no, gram);
    }
  }
}

TEST_CASE("quadrature: known spectra, and a Krylov space that ends early") {
  const std::vector<double> sigma{2, 2, 2, 1, 1, 0};
  const std::vector<Quadrature> rules = lanczos_quadrature(diagonal_operator(sigma), 6, 2);
  for (const Quadrature& rule : rules) {
    CHECK(close(rule.lambda, {4, 1, 0}, 1e-13));
    CHECK(close(rule.weight, {0.5, 1.0 / 3, 1.0 / 6}, 1e-13));
  }
  const std::vector<Quadrature> one = lanczos_quadrature(operator_of(Tensor::identity(50)), 10, 1);
  CHECK(close(one[0].lambda, {1}, 1e-14));
  CHECK(close(one[0].weight, {1}, 1e-14));
}

TEST_CASE("quadrature: standard errors are honest over many seeds") {
  const Tensor a = normal_input({40, 40}, "coverage");
  double exact = 0, bias = 0, square = 0;
  for (const double s : svdvals(a)) exact += std::sqrt(s) / 40;
  constexpr int seeds = 100;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const Estimate e =
        spectral_mean(lanczos_quadrature(operator_of(a), 16, 12, seed), [](double x) { return std::pow(x, 0.25); });
    const double z = (e.value - exact) / e.standard_error;
    bias += z / seeds;
    square += z * z / seeds;
  }
  CHECK(std::fabs(bias) < 0.35);
  CHECK(square > 0.7);
  CHECK(square < 1.8);
}

TEST_CASE("quadrature: the smoothed density integrates to 1 and follows the spectrum") {
  std::vector<double> sigma, grid;
  for (int i = 0; i < 400; ++i) sigma.push_back(std::sqrt(1 + i / 399.0));  // lambda uniform on [1, 2]
  for (int i = 0; i <= 300; ++i) grid.push_back(3.0 * i / 300);
  const std::vector<double> density = smoothed_density(lanczos_quadrature(diagonal_operator(sigma), 60, 1), grid, 0.05);
  CHECK(close(std::accumulate(density.begin(), density.end(), 0.0) * 0.01, 1, 1e-6));
  CHECK(close(density[150], 1, 0.02));  // at 1.5
  CHECK(close(density[100], 0.5, 0.05));
  CHECK(density[50] < 1e-6);
}

TEST_CASE("quadrature: wrong requests are refused") {
  const LinearOperator op = operator_of(Tensor::identity(3));
  CHECK(mentions(message_of(ErrorCode::value, [&] { lanczos_quadrature(op, 4, 1); }), {"4 steps", "1 to 3"}));
  CHECK(mentions(message_of(ErrorCode::value, [&] { lanczos_quadrature(op, 1, 0); }), {"0 probes"}));
  CHECK(mentions(message_of(ErrorCode::value, [&] { spectral_mean({}, log_sigma); }), {"at least one"}));
  const std::vector<Quadrature> rules = lanczos_quadrature(op, 1, 1);
  CHECK(mentions(message_of(ErrorCode::value, [&] { smoothed_density(rules, {}, 0); }), {"width", "0"}));
}

}  // namespace
