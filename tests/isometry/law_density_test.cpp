// Densities of the law of infinite width: that they are densities, over activations, weights and depths.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/error.h"
#include "tools/isometry/theory/law.h"
#include "tools/isometry/theory/moments.h"

using namespace rz;
using namespace rz::isometry;

namespace {

constexpr ScalarFunction functions[] = {ScalarFunction::identity,  ScalarFunction::tanh,   ScalarFunction::erf_unit,
                                        ScalarFunction::hard_tanh, ScalarFunction::relu,   ScalarFunction::leaky_relu,
                                        ScalarFunction::gelu,      ScalarFunction::silu,   ScalarFunction::selu,
                                        ScalarFunction::sin,       ScalarFunction::sigmoid};

struct Integrals {
  double mass = 0, mean = 0, square = 0;  // of the density alone
};

// The tanh-sinh rule in log lambda: it has nodes as near to both ends as singularities there ask for.
Integrals integrate(const Law& law, double from, double to) {
  constexpr int half = 100;
  std::vector<double> lambda, weight;
  for (int i = -half; i <= half; ++i) {
    const double t = 3.2 * i / half, u = 0.5 * std::numbers::pi * std::sinh(t);
    const double above = (to - from) / (1 + std::exp(2 * u));  // distance to `to`
    const double x = u > 0 ? to - above : from + (to - from) / (1 + std::exp(-2 * u));
    lambda.push_back(std::exp(x));
    weight.push_back(lambda.back() * 0.25 * std::numbers::pi * (to - from) * std::cosh(t) / std::pow(std::cosh(u), 2) *
                     3.2 / half);
  }
  const std::vector<double> rho = law.density(lambda);
  Integrals sum;
  for (std::size_t i = 0; i < rho.size(); ++i) {
    CHECK(rho[i] >= 0);
    sum.mass += weight[i] * rho[i];
    sum.mean += weight[i] * rho[i] * lambda[i];
    sum.square += weight[i] * rho[i] * lambda[i] * lambda[i];
  }
  return sum;
}

struct Worst {
  double mass = 0, mean = 0, square = 0;
};

void check(const Law& law, double lowest, bool all_mass, double tolerance, Worst& worst, const std::string& name) {
  const TheorySpectrum& s = law.summary();
  const double top = 2 * std::log(s.s_max), bottom = std::max(2 * std::log(s.s_min), lowest);
  Integrals sum;
  if (bottom < top) {  // most of it lies within a few deviations of the top
    const double split = top - std::min(0.5 * (top - bottom), 2 + 6 * std::sqrt(s.variance_over_mean2));
    const Integrals low = integrate(law, bottom, split), high = integrate(law, split, top);
    sum = {low.mass + high.mass, low.mean + high.mean, low.square + high.square};
  }
  for (const Atom& atom : s.atoms) {
    sum.mass += atom.mass;
    sum.mean += atom.mass * atom.lambda;
    sum.square += atom.mass * atom.lambda * atom.lambda;
  }
  const double mass = std::abs(sum.mass - 1), mean = std::abs(sum.mean / s.mean - 1),
               square = std::abs(sum.square / s.moments[1] - 1);
  if (all_mass) {
    CHECK_MESSAGE(mass < tolerance, name << ": mass " << sum.mass);
    worst.mass = std::max(worst.mass, mass);
  }
  CHECK_MESSAGE(mean < tolerance, name << ": mean " << sum.mean << " of " << s.mean);
  CHECK_MESSAGE(square < tolerance, name << ": square " << sum.square << " of " << s.moments[1]);
  worst.mean = std::max(worst.mean, mean);
  worst.square = std::max(worst.square, square);
}

// Where no layer's law has singularities of its own inside the support.
bool smooth(ScalarFunction f, Weights weights, std::int64_t depth) {
  if (f == ScalarFunction::leaky_relu && depth == 1) return false;  // two bands
  return weights == Weights::gaussian || depth > 4 || f == ScalarFunction::identity || f == ScalarFunction::relu ||
         (depth > 1 && f != ScalarFunction::hard_tanh && f != ScalarFunction::selu && f != ScalarFunction::gelu &&
          f != ScalarFunction::silu && f != ScalarFunction::sin);
}

void check_deep(Weights weights) {
  Worst worst;
  int laws = 0;
  for (const ScalarFunction f : functions) {
    for (const double q : {0.3}) {
      for (const std::int64_t depth : {1, 2, 8, 512}) {
        if (!smooth(f, weights, depth)) continue;
        const LayerLaw layer{f, q, (q < 0.5 ? 1 : 0.99) / std::sqrt(mu(f, 1, q)), weights, depth};
        const bool orthogonal = weights == Weights::orthogonal;
        // Two layers of two slopes: the density has the singularity of 1 / sqrt at its ends.
        const bool hard = orthogonal && depth == 2 && (f == ScalarFunction::relu || f == ScalarFunction::leaky_relu);
        if (orthogonal && depth == 8 && f == ScalarFunction::hard_tanh) continue;  // a gap below its atom
        const std::string name =
            std::string(info(f).name) + " depth " + std::to_string(depth) + ", q = " + std::to_string(q);
        check(deep_law({&layer, 1}), orthogonal ? -150 : -700, depth <= 8, hard ? 2e-5 : 1e-6, worst, name);
        ++laws;
      }
    }
  }
  MESSAGE(laws << " laws: mass to " << worst.mass << ", mean to " << worst.mean << ", square to " << worst.square);
  CHECK(laws >= 20);
}

TEST_CASE("law density: mass, mean and square of deep networks of Gaussian weights") { check_deep(Weights::gaussian); }

TEST_CASE("law density: mass, mean and square of deep networks of orthogonal weights") {
  check_deep(Weights::orthogonal);
}

TEST_CASE("law density: a gap below the atom of hard_tanh") {
  // Two projections of ranks p: the other eigenvalues of the product end at 4 p (1 - p), and have mass 1 - p.
  const double q = 0.3, p = mu(ScalarFunction::hard_tanh, 1, q);
  const LayerLaw layer{ScalarFunction::hard_tanh, q, 1, Weights::orthogonal, 2};
  const Law law = deep_law({&layer, 1});
  const Integrals sum = integrate(law, -100, std::log(4 * p * (1 - p)));
  CHECK(sum.mass == doctest::Approx(1 - p).epsilon(1e-5));
  const double gap[] = {1.001 * 4 * p * (1 - p), 0.5, 0.99};
  for (const double rho : law.density(gap)) CHECK(rho == 0);
  REQUIRE(law.summary().atoms.size() == 2);
  CHECK(law.summary().atoms[1].lambda == doctest::Approx(1));
  CHECK(law.summary().atoms[1].mass == doctest::Approx(2 * p - 1).epsilon(1e-12));
}

TEST_CASE("law density: projections of different ranks leave a gap above 0") {
  // Eigenvalues of P Q P for free projections of ranks p, r: p + r - 2 p r +- sqrt(4 p r (1 - p) (1 - r))
  const LayerLaw layers[] = {{ScalarFunction::hard_tanh, 2, 1, Weights::orthogonal, 1},
                             {ScalarFunction::hard_tanh, 4, 1, Weights::orthogonal, 1}};
  const double p = mu(ScalarFunction::hard_tanh, 1, 2), r = mu(ScalarFunction::hard_tanh, 1, 4);
  const double middle = p + r - 2 * p * r, half = std::sqrt(4 * p * r * (1 - p) * (1 - r));
  const Law law = deep_law(layers);
  CHECK(std::pow(law.summary().s_min, 2) == doctest::Approx(middle - half).epsilon(1e-10));
  const double inside[] = {middle - 0.99 * half, middle}, outside[] = {middle - 1.01 * half};
  for (const double rho : law.density(inside)) CHECK(rho > 0);
  CHECK(law.density(outside)[0] == 0);
  REQUIRE(law.summary().atoms.size() >= 1);
  CHECK(law.summary().atoms[0].mass == doctest::Approx(1 - std::min(p, r)).epsilon(1e-12));
}

TEST_CASE("law density: one orthogonal layer has the law of phi'^2") {
  const double q = 0.6;
  const LayerLaw layer{ScalarFunction::tanh, q, 1, Weights::orthogonal, 1};
  const Law law = deep_law({&layer, 1});
  const auto below = [&](double c) { return std::erfc(std::acosh(std::pow(c, -0.25)) / std::sqrt(2 * q)); };
  const Integrals sum = integrate(law, std::log(0.2), std::log(0.8));
  CHECK(sum.mass == doctest::Approx(below(0.8) - below(0.2)).epsilon(1e-9));
  CHECK(law.summary().s_max == 1);
}

TEST_CASE("law density: 400 points at depth 128 in a fraction of a second") {
  const LayerLaw layer{ScalarFunction::tanh, 0.57, 1.327, Weights::orthogonal, 128};
  const auto start = std::chrono::steady_clock::now();
  const Law law = deep_law({&layer, 1});
  const std::vector<double> lambda = law.grid(400), rho = law.density(lambda);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  MESSAGE(seconds << " s");
  CHECK(lambda.size() == 400);
  CHECK(rho.front() > 0);
  CHECK(seconds < 5);                                   // with sanitizers, too; 0.03 s without
  for (std::size_t i = 100; i + 1 < rho.size(); ++i) {  // continuous: no jump from sheet to sheet
    if (rho[i + 1] > 0) CHECK(std::abs(std::log(rho[i + 1] / rho[i])) < 1);
  }
}

TEST_CASE("law density: mass, mean and square of residual networks") {
  Worst worst;
  for (const ScalarFunction f : functions) {
    for (const std::int64_t depth : {4, 32}) {
      for (const Weights weights : {Weights::gaussian, Weights::orthogonal}) {
        // Nearly equal slopes: edges within a band that the rule does not find.
        if (f == ScalarFunction::sigmoid && weights == Weights::orthogonal) continue;
        for (const double t : {depth == 4 ? 0.1 : 2.0}) {
          const ResidualLayerLaw layer{{f, 0.5, 1 / std::sqrt(mu(f, 1, 0.5)), weights, depth},
                                       std::sqrt(t / static_cast<double>(depth))};
          const std::string name = std::string(info(f).name) + (weights == Weights::gaussian ? " gaussian" : " haar") +
                                   " depth " + std::to_string(depth) + ", t = " + std::to_string(t);
          check(residual_law({&layer, 1}, nn::Branch::activation_last), -150, true, 1e-6, worst, name);
        }
      }
    }
  }
  MESSAGE("mass to " << worst.mass << ", mean to " << worst.mean << ", square to " << worst.square);
}

}  // namespace
