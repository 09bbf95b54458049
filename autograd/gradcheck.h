// Gradient checks in f64: central finite differences against vjp and jvp, and <u, J v> = <J^T u, v>.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace rz {

using Functional = std::function<Variable(std::span<const Variable> inputs)>;

struct GradcheckOptions {
  double tolerance = 1e-6;       // relative to the largest element of a derivative
  double dot_tolerance = 1e-12;  // of <u, J v> = <J^T u, v>, relative to |u| |J v| + |J^T u| |v|
  std::uint64_t seed = 1;        // of u and v
  bool second_order = false;     // also: reverse over forward against finite differences of J v
};
struct GradcheckReport {
  bool passed = false;
  double worst = 0;     // largest relative difference found
  std::string message;  // the worst element: input, index, analytic, numeric
};
// Checks all elements of all inputs.   Throws: dtype (inputs must be f64: differences in f32 prove nothing).
GradcheckReport gradcheck(const Functional& f, std::span<const Tensor> inputs, const GradcheckOptions& options = {});

}  // namespace rz
