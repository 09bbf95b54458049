#include "tools/isometry/theory/two_point.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/error.h"
#include "support/close.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

TEST_CASE("two-point moments: the Hermite series agrees with closed forms") {
  for (const ScalarFunction phi : {ScalarFunction::erf, ScalarFunction::erf_unit, ScalarFunction::sin}) {
    for (const double q : {0.01, 1.0, 6.0}) {
      HermiteSeries series(phi, q);
      TwoPoint closed(phi, q);
      for (const double c : {-1.0, -0.9, -0.2, 0.0, 0.3, 0.8, 0.99, 0.9999, 1.0}) {
        const PairMoments a = series.at(c), b = closed.at(c);
        CHECK_MESSAGE(close(a.value / q, b.value / q, 1e-13), info(phi).name << " " << q << " " << c);
        CHECK_MESSAGE(close(a.slope, b.slope, 1e-12), info(phi).name << " " << q << " " << c);
      }
    }
  }
}

// E phi(u) phi(v) as a double integral, for a correlation at which it is smooth enough.
PairMoments by_two_integrals(Scalar phi, double q, double c) {
  const double width = std::sqrt((1 - c * c) * q);
  const GaussianRule outer = gaussian_rule(phi, q);
  PairMoments sum;
  for (std::size_t i = 0; i < outer.x.size(); ++i) {
    std::vector<double> kinks(info(phi.function).kinks.begin(), info(phi.function).kinks.end());
    for (double& kink : kinks) kink -= c * outer.x[i];
    const GaussianRule given = gaussian_rule(kinks, width * width);
    sum.value += outer.weight[i] * evaluate(phi, 0, outer.x[i]) *
                 expectation(given, [&](double w) { return evaluate(phi, 0, c * outer.x[i] + w); });
    sum.slope += outer.weight[i] * evaluate(phi, 1, outer.x[i]) *
                 expectation(given, [&](double w) { return evaluate(phi, 1, c * outer.x[i] + w); });
  }
  return sum;
}

TEST_CASE("two-point moments: every activation against a double integral") {
  for (const ScalarFunction phi : activations()) {
    for (const double q : {0.2, 2.0}) {
      TwoPoint pair(phi, q);
      for (const double c : {-0.7, 0.0, 0.4, 0.9}) {
        const PairMoments expected = by_two_integrals(phi, q, c), got = pair.at(c);
        CHECK_MESSAGE(close(got.value, expected.value, 1e-12), info(phi).name << " " << q << " " << c);
        CHECK_MESSAGE(close(got.slope, expected.slope, 1e-12), info(phi).name << " " << q << " " << c);
      }
    }
  }
}

TEST_CASE("two-point moments: at c = 1 the moments, and continuous there") {
  for (const ScalarFunction phi : activations()) {
    for (const double q : {0.05, 1.0, 150.0}) {
      const Moments m = moments(phi, q);
      TwoPoint pair(phi, q);
      CHECK_MESSAGE(close(pair.at(1).value / m.second, 1, 1e-12), info(phi).name << " " << q);
      CHECK_MESSAGE(close(pair.at(1).slope / m.mu_1, 1, 1e-12), info(phi).name << " " << q);
      const PairMoments near = pair.at(1 - 1e-10);
      CHECK_MESSAGE(close(near.value, m.second - 1e-10 * q * m.mu_1, 1e-12 * q + 1e-13), info(phi).name << " " << q);
      CHECK_MESSAGE(close(near.slope, m.mu_1, 1e-4), info(phi).name << " " << q);
    }
  }
  CHECK(mentions(message_of(ErrorCode::value, [] { TwoPoint(ScalarFunction::tanh, 0); }), {"q = 0"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { TwoPoint(ScalarFunction::tanh, 1).at(1.1); }), {"1.1"}));
}

}  // namespace
