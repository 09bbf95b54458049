// Dropout: x m with m = 1 / (1 - p) with probability 1 - p, else 0 (Srivastava et al. 2014). The mask is a function of
// (seed, name, step) alone, so that it is the same when an activation is recomputed.
#pragma once

#include <string>

#include "nn/module.h"

namespace rz::nn {

class Dropout {
 public:
  Dropout(const std::string& name, double p);  // Throws: value (p outside [0, 1))
  // Off where `source` is (Model::dropout_source()), and for p = 0.
  Variable forward(const Variable& x, const DropoutSource& source) const;

 private:
  std::uint64_t stream_;
  double p_;
};

}  // namespace rz::nn
