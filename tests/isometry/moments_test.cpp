#include "tools/isometry/theory/moments.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "core/error.h"
#include "support/close.h"
#include "support/mean_field_reference.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

using std::numbers::pi;

TEST_CASE("moments: ref01's one-point moments") {
  int entries = 0;
  for (const auto& entry : reference("ref01_meanfield.json").at("one_point_moments")) {
    const Scalar phi = activation_of(entry.at("act"));
    const double q = number(entry.at("q"));
    const auto check = [&](double value, const char* key) {
      const double expected = number(entry.at(key)), error = std::abs(value / expected - 1);
      CHECK_MESSAGE(error < 1e-14, entry.dump() << " " << key << " " << value);
    };
    const Moments m = moments(phi, q);
    check(m.second, "E_phi2");
    check(m.mu_1, "E_dphi2");
    check(m.mu_2, "E_dphi4");
    check(mu(phi, 2, q), "E_dphi4");
    ++entries;
  }
  CHECK(entries == 90);
}

TEST_CASE("moments: every activation against 30-digit quadrature, q = 0.01 ... 300") {
  int entries = 0, logarithms = 0;
  for (const auto& entry : reference("activation_moments.json")) {
    const Scalar phi = activation_of(entry.at("act"));
    const double q = number(entry.at("q"));
    const Moments m = moments(phi, q);
    CHECK_MESSAGE(close(m.second / number(entry.at("E_phi2")), 1, 5e-14), entry.dump());
    CHECK_MESSAGE(close(m.mu_1 / number(entry.at("mu_1")), 1, 5e-14), entry.dump());
    CHECK_MESSAGE(close(m.mu_2 / number(entry.at("mu_2")), 1, 5e-14), entry.dump());
    CHECK_MESSAGE(close(m.slope, number(entry.at("slope")), 5e-14), entry.dump());
    CHECK_MESSAGE(
        close(poincare_gap(phi, q), q * number(entry.at("mu_1")) - number(entry.at("E_phi2")), 1e-13 * q + 1e-14),
        entry.dump());
    if (entry.contains("mean_log")) {
      CHECK_MESSAGE(close(mean_log_slope_squared(phi, q), number(entry.at("mean_log")), 1e-12), entry.dump());
      ++logarithms;
    } else {
      CHECK((std::isinf(mean_log_slope_squared(phi, q)) || std::exp(-0.5 / q) < 1e-17));
    }
    ++entries;
  }
  CHECK(entries == 72);
  CHECK(logarithms == 60);
}

TEST_CASE("moments: closed forms, q = 1e-6 ... 1e4") {
  int points = 0;
  for (double q = 1e-6; q < 1.1e4; q *= 10) {
    const auto expect = [&](Scalar phi, double second, double mu_1) {
      const Moments m = moments(phi, q);
      CHECK_MESSAGE(close(m.second / second, 1, 1e-13), info(phi.function).name << " " << q);
      CHECK_MESSAGE(close(m.mu_1 / mu_1, 1, 1e-13), info(phi.function).name << " " << q);
      ++points;
    };
    const double t = q / (1 + q), w = std::sqrt(1 + 2 * q), n = std::exp(-0.5 / q) / std::sqrt(2 * pi);
    const double p = std::erf(1 / std::sqrt(2 * q));
    expect(ScalarFunction::identity, q, 1);
    expect(ScalarFunction::relu, q / 2, 0.5);
    expect(Scalar(ScalarFunction::leaky_relu, 0.3), 1.09 * q / 2, 1.09 / 2);
    expect(ScalarFunction::erf, 2 / pi * std::asin(2 * q / (1 + 2 * q)), 4 / pi / std::sqrt(1 + 4 * q));
    expect(ScalarFunction::erf_unit, 2 / pi * std::asin(pi * q / (2 + pi * q)), 1 / std::sqrt(1 + pi * q));
    expect(ScalarFunction::sin, -0.5 * std::expm1(-2 * q), 0.5 * (1 + std::exp(-2 * q)));
    expect(ScalarFunction::hard_tanh, q * (p - 2 * n / std::sqrt(q)) + std::erfc(1 / std::sqrt(2 * q)), p);
    expect(ScalarFunction::gelu, q / 4 + q / (2 * pi) * (std::asin(t) + 2 * t / w),
           0.25 + std::asin(t) / (2 * pi) + t / (pi * w) + q / (2 * pi * w * w * w));
    CHECK(close(mu(ScalarFunction::erf_unit, 4, q) * std::sqrt(1 + 4 * pi * q), 1, 1e-13));
    CHECK(close(mean_log_slope_squared(ScalarFunction::erf_unit, q) / (-0.5 * pi * q), 1, 1e-13));
  }
  CHECK(points == 88);
}

TEST_CASE("moments: limits and refusals") {
  for (const ScalarFunction phi : activations()) {
    const Moments zero = moments(phi, 0), small = moments(phi, 1e-12);
    CHECK_MESSAGE(close(std::vector{zero.second, zero.slope, zero.mu_1, zero.mu_2},
                        {small.second, small.slope, small.mu_1, small.mu_2}, 1e-5),
                  info(phi).name);
    for (const double q : {0.3, 3.0}) {  // the slope is a derivative
      const double h = 1e-4 * q, difference = moments(phi, q + h).second - moments(phi, q - h).second;
      CHECK_MESSAGE(close(difference / (2 * h), moments(phi, q).slope, 1e-7), info(phi).name);
    }
  }
  CHECK(std::isinf(mean_log_slope_squared(ScalarFunction::relu, 1)));
  CHECK(close(mean_log_slope_squared(ScalarFunction::leaky_relu, 1), std::log(0.01), 1e-14));
  CHECK(mentions(message_of(ErrorCode::value, [] { moments(ScalarFunction::tanh, -1); }), {"q = -1"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { mu(ScalarFunction::sin, 1, 1e11); }), {"q = "}));
  CHECK(mentions(message_of(ErrorCode::value, [] { mu(ScalarFunction::tanh, 0, 1); }), {"k = 0"}));
}

}  // namespace
