// Residual laws beyond the golden numbers.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "support/reference.h"
#include "tools/isometry/theory/law.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

ResidualLayerLaw relu(double t, std::int64_t depth) {  // t = a^2 sigma_w^2 L / 2
  return {{ScalarFunction::relu, 1, std::sqrt(2.0), Weights::gaussian, depth},
          std::sqrt(t / static_cast<double>(depth))};
}

TEST_CASE("law residual: gate 0 is the identity") {
  const ResidualLayerLaw layer{{ScalarFunction::tanh, 0.5, 1.3, Weights::gaussian, 100}, 0};
  const TheorySpectrum s = residual_law({&layer, 1}, nn::Branch::activation_last).summary();
  CHECK(s.mean == 1);
  CHECK(s.variance_over_mean2 == 0);
  CHECK(s.mean_log_sigma == 0);
  CHECK(s.s_min == 1);
  CHECK(s.s_max == 1);
  REQUIRE(s.atoms.size() == 1);
  CHECK(s.atoms[0].lambda == 1);
  CHECK(s.atoms[0].mass == 1);
  for (const double moment : s.moments) CHECK(moment == 1);
}

TEST_CASE("law residual: relu's correlated masks widen the spectrum of W relu(x)") {
  const double expected[][2] = {{0.1, 0.20816}, {0.5, 1.15123}, {1, 2.45625}};  // isometry of 64 layers
  for (const auto& [t, variance] : expected) {
    const ResidualLayerLaw layer = relu(t, 64);
    const TheorySpectrum s = residual_law({&layer, 1}, nn::Branch::activation_first).summary();
    CHECK(s.variance_over_mean2 == doctest::Approx(variance).epsilon(5e-6));
    CHECK(s.outliers.empty());
    // Layers one by one, and the masks of independent layers
    const std::vector<ResidualLayerLaw> single(64, relu(t, 64));
    std::vector<ResidualLayerLaw> layers = single;
    for (ResidualLayerLaw& one : layers) one.branch.count = 1;
    CHECK(residual_law(layers, nn::Branch::activation_first).summary().variance_over_mean2 ==
          doctest::Approx(s.variance_over_mean2).epsilon(1e-12));
    const double independent = residual_law({&layer, 1}, nn::Branch::activation_last).summary().variance_over_mean2;
    CHECK(independent < s.variance_over_mean2);
  }
}

TEST_CASE("law residual: relu's correlated masks in very many layers") {
  const auto variance = [](std::int64_t depth) {
    const ResidualLayerLaw layer = relu(0.5, depth);
    return residual_law({&layer, 1}, nn::Branch::activation_first).summary().variance_over_mean2;
  };
  const double coarse = variance(1024), fine = variance(2048);  // both exact
  CHECK(variance(2049) == doctest::Approx(fine).epsilon(1e-5));
  CHECK(variance(1000000) == doctest::Approx(2 * fine - coarse).epsilon(1e-6));
}

TEST_CASE("law residual: relu(W x) has one outlier") {
  const double expected[][2] = {{0.1, 3.74}, {0.5, 21.9}, {1, 82.5}};
  for (const auto& [t, outlier] : expected) {
    const ResidualLayerLaw layer = relu(t, 64);
    const TheorySpectrum s = residual_law({&layer, 1}, nn::Branch::activation_last).summary();
    REQUIRE(s.outliers.size() == 1);
    CHECK(s.outliers[0] == doctest::Approx(outlier).epsilon(2e-3));
    CHECK(s.s_max < 5);
  }
}

TEST_CASE("law residual: orthogonal linear branches turn by angles: |1 + a e^(i theta)|") {
  for (const double a : {0.1, 0.7, 1.6}) {
    const ResidualLayerLaw layer{{ScalarFunction::identity, 1, 1, Weights::orthogonal, 1}, a};
    const Law law = residual_law({&layer, 1}, nn::Branch::activation_last);
    CHECK(law.summary().s_max == doctest::Approx(1 + a).epsilon(1e-9));
    CHECK(law.summary().s_min == doctest::Approx(std::abs(1 - a)).epsilon(1e-9));
    CHECK(law.summary().mean_log_sigma == doctest::Approx(std::max(0.0, std::log(a))).epsilon(1e-6));
    for (const double theta : {0.5, 1.5, 2.5}) {  // uniform: rho = 1 / (2 pi a sin theta)
      const double lambda[] = {1 + a * a + 2 * a * std::cos(theta)};
      CHECK(law.density(lambda)[0] == doctest::Approx(1 / (2 * 3.14159265358979 * a * std::sin(theta))).epsilon(1e-9));
    }
  }
}

TEST_CASE("law residual: the limit law is symmetric under sigma -> 1 / sigma, and many layers reach it") {
  const Law limit = residual_limit_law(0.5);
  const double lambda[] = {0.2, 0.5, 0.9, 2.0};
  const std::vector<double> rho = limit.density(lambda);
  for (std::size_t i = 0; i < rho.size(); ++i) {
    const double inverse[] = {1 / lambda[i]};
    CHECK(limit.density(inverse)[0] == doctest::Approx(rho[i] * lambda[i] * lambda[i]).epsilon(1e-10));
  }
  const std::int64_t depth = 20000;
  const ResidualLayerLaw layer{{ScalarFunction::identity, 1, 1, Weights::gaussian, depth}, std::sqrt(0.5 / depth)};
  const std::vector<double> deep = residual_law({&layer, 1}, nn::Branch::activation_last).density(lambda);
  for (std::size_t i = 0; i < rho.size(); ++i) CHECK(deep[i] == doctest::Approx(rho[i]).epsilon(1e-4));
}

TEST_CASE("law residual: different gates, as of a trained network") {
  std::vector<ResidualLayerLaw> layers;
  double mean = 1;
  for (int l = 0; l < 40; ++l) {
    const double gate = 0.015 * l * (l % 2 ? 1 : -1);
    layers.push_back({{ScalarFunction::identity, 1, 1.5, Weights::gaussian, 1}, gate});
    mean *= 1 + 2.25 * gate * gate;
  }
  const Law law = residual_law(layers, nn::Branch::activation_last);
  CHECK(law.summary().mean == doctest::Approx(mean).epsilon(1e-12));
  const std::vector<double> lambda = law.grid(2001), rho = law.density(lambda);
  double mass = 0;
  for (std::size_t i = 1; i < rho.size(); ++i)
    mass += 0.5 * (rho[i] * lambda[i] + rho[i - 1] * lambda[i - 1]) * std::log(lambda[i] / lambda[i - 1]);
  CHECK(mass == doctest::Approx(1).epsilon(1e-4));
}

TEST_CASE("law: errors say what is wrong") {
  const LayerLaw good{ScalarFunction::tanh, 1, 1, Weights::gaussian, 2};
  const auto fails = [](LayerLaw layer) { CHECK_THROWS_AS(deep_law({&layer, 1}), Error); };
  LayerLaw bad = good;
  bad.q = -1;
  fails(bad);
  bad = good;
  bad.sigma_w = 0;
  fails(bad);
  bad = good;
  bad.count = 0;
  fails(bad);
  CHECK_THROWS_AS(deep_law({}), Error);
  CHECK_THROWS_AS(residual_law({}, nn::Branch::activation_last), Error);
  CHECK_THROWS_AS(residual_limit_law(-1), Error);
  CHECK_THROWS_AS(universal_law(Universality::smooth, NAN), Error);
  const Law law = deep_law({&good, 1});
  CHECK_THROWS_AS(law.grid(1), Error);
  const double zero[] = {0.0};
  CHECK_THROWS_AS(law.density(zero), Error);
}

TEST_CASE("law: densities down to where slopes are 0 in doubles") {
  const LayerLaw layer{ScalarFunction::tanh, 101};
  std::vector<double> lambda;
  for (int i = 0; i < 400; ++i) lambda.push_back(std::exp(-1.5 * i));
  const std::vector<double> rho = deep_law({&layer, 1}).density(lambda);
  CHECK(rho[10] > 0);
  for (const double value : rho) CHECK(!(value < 0));
}

}  // namespace
