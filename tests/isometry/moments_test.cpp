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
  double worst = 0;
  for (const auto& entry : reference("ref01_meanfield.json").at("one_point_moments")) {
    const Scalar phi = activation_of(entry.at("act"));
    const double q = number(entry.at("q"));
    const auto check = [&](double value, const char* key) {
      const double expected = number(entry.at(key)), error = std::abs(value / expected - 1);
      worst = std::max(worst, error);
      CHECK_MESSAGE(error < 1e-14, entry.dump() << " " << key << " " << value);
    };
    const Moments m = moments(phi, q);
    check(m.second, "E_phi2");
    check(m.mu_1, "E_dphi2");
    check(m.mu_2, "E_dphi4");
    check(mu(phi, 2, q), "E_dphi4");
    ++entries;
  }
  MESSAGE("largest relative error " << worst);
  CHECK(entries == 90);
}

}  // namespace
