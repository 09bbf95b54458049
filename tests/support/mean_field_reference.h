// Names of activations in the reference files: "linear" and "hardtanh" there are identity and hard_tanh here.
#pragma once

#include <string>

#include "core/scalar_functions.h"

namespace rz::test {

inline Scalar activation_of(const std::string& name) {
  if (name == "linear") return ScalarFunction::identity;
  return activation_named(name == "hardtanh" ? "hard_tanh" : name);
}

}  // namespace rz::test
