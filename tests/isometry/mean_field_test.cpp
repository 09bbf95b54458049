#include "tools/isometry/theory/mean_field.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "support/close.h"
#include "support/mean_field_reference.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

MeanField at(const nlohmann::json& inputs) {
  return mean_field(activation_of(inputs.at("act")), std::sqrt(number(inputs.at("sw2"))),
                    std::sqrt(number(inputs.at("sb2"))));
}

TEST_CASE("mean field: golden fixed points and depth scales") {
  CHECK(golden("q*", [](const auto& in) { return at(in).q_star; }) == 33);
  CHECK(golden("chi_1", [](const auto& in) { return at(in).chi_1; }) == 33);
  CHECK(golden("xi_q", [](const auto& in) { return at(in).xi_q; }) == 33);
  CHECK(golden("c*", [](const auto& in) { return at(in).c_star; }) == 33);
  CHECK(golden("xi_c", [](const auto& in) { return at(in).xi_c; }) == 33);
}

TEST_CASE("mean field: ref01's phases, unstable fixed points, and tanh on ref08's grid") {
  int entries = 0;
  for (const auto& entry : reference("ref01_meanfield.json").at("fixed_points_general")) {
    const MeanField m = at(entry);
    CHECK(name(m.phase) == entry.at("phase").get<std::string>());
    CHECK(close(m.v_prime, number(entry.at("Vprime")), 1e-12));
    ++entries;
  }
  CHECK(entries == 33);
  const auto& unstable = reference("ref01_meanfield.json").at("unstable_fixed_points");
  CHECK(unstable.size() == 8);
  for (const auto& entry : unstable) {
    const Scalar phi = activation_of(entry.at("act"));
    const double q = number(entry.at("q_star")), scale = number(entry.at("sw2"));
    const Moments m = moments(phi, q);
    CHECK(close(scale * m.second / q, 1, 1e-13));
    CHECK(close(scale * m.mu_1, number(entry.at("chi1")), 1e-12));
    CHECK(close(scale * m.slope, number(entry.at("Vprime")), 1e-11));
    CHECK(at(entry).q_star == (q > 1 ? 0 : HUGE_VAL));  // where q = 1 goes from it
  }
  const auto& grid = reference("ref08_extra.json").at("tanh_grid");
  CHECK(grid.size() == 36);
  for (const auto& entry : grid) {
    const double sigma_w = number(entry.at("sw")), bias = number(entry.at("sb2"));
    const MeanField m = mean_field(ScalarFunction::tanh, sigma_w, std::sqrt(bias));
    if (sigma_w == 1 && bias == 0) {  // the file has what 20,000 iterations leave of it
      CHECK(m.q_star == 0);
      CHECK(m.phase == Phase::critical);
      CHECK(std::isinf(m.xi_q));
      continue;
    }
    CHECK(close(m.q_star, number(entry.at("q_star")), 1e-12));
    CHECK(close(m.chi_1, number(entry.at("chi1")), 1e-12));
  }
}

TEST_CASE("mean field: scale-invariant activations, and lengths that grow without end") {
  const MeanField he = mean_field(ScalarFunction::relu, std::sqrt(2.0), 0);
  CHECK(std::isnan(he.q_star));
  CHECK(close(he.chi_1, 1, 1e-15));
  CHECK(he.mu_1 == 0.5);
  CHECK(he.mu_2 == 0.5);
  CHECK(he.phase == Phase::critical);
  CHECK(he.c_star == 1);
  CHECK(std::isinf(he.xi_c));
  CHECK(std::isinf(he.xi_q));
  CHECK(std::isinf(mean_field(ScalarFunction::relu, std::sqrt(2.0), 0.1).q_star));
  const MeanField small = mean_field(ScalarFunction::relu, 1, 0.5);
  CHECK(close(small.q_star, 0.5, 1e-15));
  CHECK(close(small.xi_c, 1 / std::log(2), 1e-14));
  CHECK(mean_field(ScalarFunction::relu, 1, 0).q_star == 0);
  const MeanField linear = mean_field(ScalarFunction::identity, 1.5, 0.1);
  CHECK(std::isinf(linear.q_star));
  CHECK(linear.chi_1 == 2.25);
  CHECK(linear.phase == Phase::chaotic);
  CHECK(std::isnan(linear.c_star));
  CHECK(std::isnan(linear.xi_q));
  const MeanField gelu = mean_field(ScalarFunction::gelu, 2, 0.1);
  CHECK(std::isinf(gelu.q_star));
  CHECK(close(gelu.chi_1, 2, 1e-14));  // the limit
  const MeanField selu = mean_field(ScalarFunction::selu, 1, 0);
  CHECK(close(selu.q_star, 1, 1e-13));
  CHECK(close(selu.chi_1, number(reference("ref01_meanfield.json").at("selu_sw2=1_sb2=0").at("chi1")), 1e-13));
  const MeanField nothing = mean_field(ScalarFunction::tanh, 0, 0);
  CHECK(nothing.q_star == 0);
  CHECK(nothing.xi_q == 0);
  CHECK(mean_field(ScalarFunction::tanh, 0, 0.5).q_star == 0.25);
  CHECK(mean_field(ScalarFunction::tanh, 100, 0).q_star > 9000);
}

TEST_CASE("mean field: refusals name the parameter") {
  CHECK(mentions(message_of(ErrorCode::value, [] { mean_field(ScalarFunction::tanh, -1, 0); }), {"sigma_w = -1"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { mean_field(ScalarFunction::tanh, 1, NAN); }), {"sigma_b = nan"}));
}

}  // namespace
