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
  constexpr int half = 300;
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

void check(const Law& law, bool all_mass, Worst& worst, const std::string& name) {
  const TheorySpectrum& s = law.summary();
  const double top = 2 * std::log(s.s_max), bottom = std::max(2 * std::log(s.s_min), -700.0);
  Integrals sum;
  if (bottom < top) sum = integrate(law, bottom, top);
  for (const Atom& atom : s.atoms) {
    sum.mass += atom.mass;
    sum.mean += atom.mass * atom.lambda;
    sum.square += atom.mass * atom.lambda * atom.lambda;
  }
  const double mass = std::abs(sum.mass - 1), mean = std::abs(sum.mean / s.mean - 1),
               square = std::abs(sum.square / s.moments[1] - 1);
  if (all_mass) {
    CHECK_MESSAGE(mass < 1e-6, name << ": mass " << sum.mass);
    worst.mass = std::max(worst.mass, mass);
  }
  CHECK_MESSAGE(mean < 1e-6, name << ": mean " << sum.mean << " of " << s.mean);
  CHECK_MESSAGE(square < 1e-6, name << ": square " << sum.square << " of " << s.moments[1]);
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

TEST_CASE("law density: mass, mean and square of deep networks") {
  Worst worst;
  int laws = 0;
  for (const ScalarFunction f : functions) {
    for (const double q : {0.05, 0.8}) {
      for (const Weights weights : {Weights::gaussian, Weights::orthogonal}) {
        for (const std::int64_t depth : {1, 2, 4, 8, 32}) {
          if (!smooth(f, weights, depth)) continue;
          const LayerLaw layer{f, q, (q < 0.5 ? 1 : 0.95) / std::sqrt(mu(f, 1, q)), weights, depth};
          const std::string name = std::string(info(f).name) +
                                   (weights == Weights::gaussian ? " gaussian " : " orthogonal ") +
                                   std::to_string(depth) + " q=" + std::to_string(q);
          check(deep_law({&layer, 1}), depth <= 8, worst, name);
          ++laws;
        }
      }
    }
  }
  MESSAGE(laws << " laws, mass to " << worst.mass << ", mean to " << worst.mean << ", square to " << worst.square);
}

}  // namespace
