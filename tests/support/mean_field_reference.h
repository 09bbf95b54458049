// Reading the reference numbers of mean-field theory. Names of activations in them differ a little: "linear" and
// "hardtanh" are identity and hard_tanh here.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "core/scalar_functions.h"
#include "support/reference.h"

namespace rz::test {

inline Scalar activation_of(const std::string& name) {
  if (name == "linear") return ScalarFunction::identity;
  return activation_named(name == "hardtanh" ? "hard_tanh" : name);
}

// Checks value(inputs) for the entries of golden.json with this quantity, each within its rtol, and returns their
// number.
template <class F>
int golden(const std::string& quantity, F&& value) {
  int entries = 0;
  for (const auto& entry : reference("golden.json")) {
    if (entry.at("quantity") != quantity) continue;
    ++entries;
    const double expected = number(entry.at("value")), got = value(entry.at("inputs"));
    const double error = std::abs(got - expected) / std::max(std::abs(expected), expected == 0 ? 1.0 : 0.0);
    CHECK_MESSAGE(error <= number(entry.at("rtol")), entry.at("id") << " " << got << " against " << expected);
  }
  return entries;
}

}  // namespace rz::test
