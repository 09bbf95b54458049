#include "tools/isometry/theory/phase_diagram.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "core/error.h"
#include "support/close.h"
#include "tools/isometry/theory/mean_field.h"
#include "tools/isometry/theory/moment_table.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

bool agree(double a, double b, double tolerance) {
  return (std::isnan(a) && std::isnan(b)) || a == b || std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b));
}

TEST_CASE("phase diagram: every activation, point by point") {
  for (const ScalarFunction phi : activations()) {
    const PhaseDiagram d = phase_diagram(phi, {0, 2.5, 0, 1.2}, 9, 4);
    REQUIRE(d.sigma_w.size() == 9);
    REQUIRE(d.sigma_b.size() == 4);
    REQUIRE(d.q_star.size() == 36);
    CHECK(d.sigma_w.back() == 2.5);
    CHECK(d.sigma_b.back() == 1.2);
    for (std::size_t i = 0; i < 36; ++i) {
      const MeanField m = mean_field(phi, d.sigma_w[i % 9], d.sigma_b[i / 9]);
      CHECK_MESSAGE(agree(d.q_star[i], m.q_star, 1e-9), info(phi).name << " " << i);
      CHECK_MESSAGE(agree(d.chi_1[i], m.chi_1, 1e-9), info(phi).name << " " << i);
      CHECK_MESSAGE(agree(d.c_star[i], m.c_star, 1e-8), info(phi).name << " " << i);
      CHECK_MESSAGE(agree(d.xi_q[i], m.xi_q, 1e-7), info(phi).name << " " << i);
      CHECK_MESSAGE(agree(d.xi_c[i], m.xi_c, 1e-6), info(phi).name << " " << i);
    }
  }
}

TEST_CASE("phase diagram: the table of moments") {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> logarithm(-25, 8);
  for (const ScalarFunction phi : activations()) {
    const MomentTable table(phi, 1000);
    for (int i = 0; i < 60; ++i) {
      const double q = std::exp(logarithm(random));
      const Moments a = table(q), b = moments(phi, q);
      CHECK_MESSAGE(
          close(std::vector{a.second / b.second, a.slope, a.mu_1 / b.mu_1, a.mu_2 / b.mu_2}, {1, b.slope, 1, 1}, 1e-9),
          info(phi).name << " " << q);
    }
  }
}

TEST_CASE("phase diagram: to the ends of what sigmas may be") {
  for (const ScalarFunction phi : {ScalarFunction::tanh, ScalarFunction::sin}) {
    const PhaseDiagram d = phase_diagram(phi, {0, 1e4, 0, 1e4}, 2, 2);
    CHECK(d.q_star[3] == doctest::Approx(phi == ScalarFunction::sin ? 1.5e8 : 2e8).epsilon(1e-3));
  }
}

TEST_CASE("phase diagram: refusals") {
  const auto refused = [](const isometry::Window& window, std::int64_t width) {
    return message_of(ErrorCode::value, [&] { phase_diagram(ScalarFunction::tanh, window, width, 10); });
  };
  CHECK(mentions(refused({0, 1, 0, 1}, 1), {"1 x 10"}));
  CHECK(mentions(refused({0, 1, 0, 1}, 10'000'000), {"10000000 x 10"}));
  CHECK(mentions(refused({1, 1, 0, 1}, 10), {"window", "empty"}));
  CHECK(mentions(refused({-1, 1, 0, 1}, 10), {"sigma_w = -1"}));
}

}  // namespace
