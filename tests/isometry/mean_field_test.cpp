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

}  // namespace
