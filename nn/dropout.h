// Dropout: x m with m = 1 / (1 - p) with probability 1 - p, else 0 (Srivastava et al. 2014). Off when not training or p
// = 0. The mask is a function of (seed, name, step) alone, so that it is the same when an activation is recomputed.
#pragma once

#include "core/step.h"
#include "nn/module.h"

namespace rz::nn {

class Dropout {
 public:
  Dropout(const std::string& name, double p, std::uint64_t seed);  // Throws: value (p outside [0, 1))
  Variable forward(const Variable& x, const StepState& state, bool training) const;

 private:
  RandomKey key_;
  double p_;
};

}  // namespace rz::nn
