#include "tools/isometry/theory/critical.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "support/close.h"
#include "support/mean_field_reference.h"
#include "support/reference.h"
#include "tools/isometry/theory/mean_field.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

CriticalPoint at_bias(const nlohmann::json& inputs) {
  return critical_for_sigma_b(activation_of(inputs.at("act")), std::sqrt(number(inputs.at("sb2"))));
}

TEST_CASE("critical line: golden entries") {
  CHECK(golden("critical sw2", [](const auto& in) { return std::pow(at_bias(in).sigma_w, 2); }) == 50);
  CHECK(golden("q* at criticality", [](const auto& in) { return at_bias(in).q; }) == 50);
  CHECK(golden("E log s per layer, orthogonal, critical",
               [](const auto& in) { return 0.5 * log_slope_gap(activation_of(in.at("act")), at_bias(in).q); }) == 20);
}

TEST_CASE("critical line: ref01 by sigma_w, and what holds on it") {
  int entries = 0;
  for (const auto& entry : reference("ref01_meanfield.json").at("critical_line_by_sw2")) {
    const Scalar phi = activation_of(entry.at("act"));
    const CriticalPoint p = critical_for_sigma_w(phi, std::sqrt(number(entry.at("sw2"))));
    CHECK(close(p.q / number(entry.at("q_star")), 1, 1e-11));
    CHECK(close(p.sigma_b * p.sigma_b / number(entry.at("sb2_crit")), 1, 1e-10));
    const CriticalPoint same = critical_at(phi, p.q);
    CHECK(close(same.sigma_w, p.sigma_w, 1e-13));
    const MeanField m = mean_field(phi, p.sigma_w, p.sigma_b);
    CHECK(close(m.q_star, p.q, 1e-11));
    CHECK(m.phase == Phase::critical);
    CHECK(m.c_star == 1);
    CHECK(std::isinf(m.xi_c));
    CHECK(close(m.mu_2 / (m.mu_1 * m.mu_1) - 1, number(entry.at("mu2_over_mu1sq_minus1")), 1e-11));
    ++entries;
  }
  CHECK(entries == 27);
  for (const auto& entry : reference("ref01_meanfield.json").at("critical_line_by_sb2")) {
    const Moments m = moments(activation_of(entry.at("act")), at_bias(entry).q);
    CHECK(close(m.mu_2 / (m.mu_1 * m.mu_1) - 1, number(entry.at("mu2_over_mu1sq_minus1")), 1e-11));
  }
}

TEST_CASE("critical line: closed form of sin, and the ends at sigma_b = 0") {
  for (const double q : {1e-3, 0.1, 1.0, 5.0}) {
    const CriticalPoint p = critical_at(ScalarFunction::sin, q);
    CHECK(close(p.sigma_w * p.sigma_w, 1 + std::tanh(q), 1e-14));
    CHECK(close(p.sigma_b * p.sigma_b, q - std::tanh(q), 1e-14));
  }
  const auto end = [](Scalar phi) { return std::pow(critical_for_sigma_b(phi, 0).sigma_w, 2); };
  for (const auto phi : {ScalarFunction::tanh, ScalarFunction::erf_unit, ScalarFunction::hard_tanh, ScalarFunction::sin,
                         ScalarFunction::identity})
    CHECK(close(end(phi), 1, 1e-15));
  CHECK(close(end(ScalarFunction::erf), std::atan(1), 1e-15));
  CHECK(close(end(ScalarFunction::relu), 2, 1e-15));
  CHECK(close(end(Scalar(ScalarFunction::leaky_relu, 0.3)), 2 / 1.09, 1e-15));
  CHECK(critical_for_sigma_b(ScalarFunction::tanh, 0).q == 0);
  CHECK(close(critical_for_sigma_b(ScalarFunction::sigmoid, 0).q, 45.6243, 1e-6));
  CHECK(std::isnan(critical_for_sigma_b(ScalarFunction::relu, 0).q));
  CHECK(critical_at(ScalarFunction::relu, 3).q == 3);
}

TEST_CASE("critical line: half-stable points") {
  const auto& points = reference("ref01_meanfield.json").at("half_stable_criticality_chi_par=chi_perp=1");
  CHECK(points.size() == 2);
  for (const auto& [activation, expected] : points.items()) {
    const CriticalPoint p = half_stable(activation_of(activation));
    CHECK(close(p.q / number(expected.at("q_star")), 1, 1e-11));
    CHECK(close(p.sigma_w * p.sigma_w / number(expected.at("sw2")), 1, 2e-12));
    CHECK(close(p.sigma_b * p.sigma_b / number(expected.at("sb2")), 1, 1e-11));
  }
  for (const auto phi : {ScalarFunction::gelu, ScalarFunction::gelu_tanh, ScalarFunction::silu}) {
    const CriticalPoint p = half_stable(phi);
    const Moments m = moments(phi, p.q);
    CHECK(close(p.sigma_w * p.sigma_w * m.mu_1, 1, 1e-14));
    CHECK(close(p.sigma_w * p.sigma_w * m.slope, 1, 1e-12));
  }
  CHECK(mentions(message_of(ErrorCode::value, [] { half_stable(ScalarFunction::tanh); }), {"tanh", "half-stable"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { half_stable(ScalarFunction::relu); }), {"relu", "every q"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { half_stable(ScalarFunction::sigmoid); }), {"sigmoid", "q = 45."}));
}

TEST_CASE("critical line: iterating the length map from q = 1 reaches the line of every activation that has one") {
  for (const ScalarFunction phi : activations()) {
    if (is_homogeneous(phi)) continue;
    const double sigma_b = 0.9;
    const CriticalPoint p = critical_for_sigma_b(phi, sigma_b);
    double q = 1, before = 0;
    for (int layer = 0; layer < 10000 && std::abs(q - before) > 1e-13 * q; ++layer) {
      before = q;
      q = p.sigma_w * p.sigma_w * moments(phi, q).second + sigma_b * sigma_b;
    }
    CHECK_MESSAGE(close(q / p.q, 1, 1e-10), info(phi).name << " " << q << " " << p.q);
    CHECK(close(p.sigma_w * p.sigma_w * moments(phi, q).mu_1, 1, 1e-10));
    CHECK(mean_field(phi, p.sigma_w, sigma_b).phase == Phase::critical);
  }
}

TEST_CASE("critical line: refused where there is none") {
  CHECK(mentions(message_of(ErrorCode::value, [] { critical_for_sigma_b(ScalarFunction::gelu, 0.2); }),
                 {"gelu", "sigma_b = 0.2", "begins at q = 3.56155", "sigma_b = 0.415839"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { critical_at(ScalarFunction::silu, 2); }), {"silu", "q = 14.3202"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { critical_for_sigma_w(ScalarFunction::tanh, 0.9); }),
                 {"tanh", "sigma_w = 0.9", "from 1 "}));
  CHECK(mentions(message_of(ErrorCode::value, [] { critical_for_sigma_w(ScalarFunction::sin, std::sqrt(2.0)); }),
                 {"sin", "to 1.41421"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { critical_for_sigma_b(ScalarFunction::relu, 0.1); }),
                 {"relu", "sigma_b = 0 alone", "1.4142"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { critical_for_sigma_w(ScalarFunction::identity, 1.1); }),
                 {"identity", "sigma_w = 1 alone", "1.1"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { critical_for_sigma_b(ScalarFunction::tanh, -1); }), {"sigma_b"}));
}

TEST_CASE("critical line: within a window") {
  const isometry::Window window{0.5, 2, 0, 1};
  for (const ScalarFunction phi : {ScalarFunction::tanh, ScalarFunction::gelu, ScalarFunction::selu}) {
    const auto line = critical_line(phi, window, 50);
    CHECK(line.size() > 20);
    for (const CriticalPoint& p : line) {
      CHECK(p.sigma_w >= 0.5);
      CHECK(p.sigma_w <= 2);
      CHECK(close(critical_at(phi, p.q).sigma_w, p.sigma_w, 1e-12));
    }
  }
  CHECK(critical_line(ScalarFunction::relu, window, 50).size() == 1);
  CHECK(critical_line(ScalarFunction::sigmoid, window, 50).empty());
}

}  // namespace
