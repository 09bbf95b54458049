// Initial values of tests' own parameters.
#pragma once

#include <span>

#include "autograd/parameter.h"
#include "core/random.h"

namespace rz::test {

inline Initializer normal(double deviation = 1) {
  return [deviation](std::span<double> values, Random& random) {
    for (double& v : values) v = deviation * random.normal();
  };
}

}  // namespace rz::test
