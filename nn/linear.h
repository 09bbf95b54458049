// Linear: f(x W^T + b).   x: [..., in] -> [..., out].   Parameters NAME.weight [out, in], NAME.bias [out].
#pragma once

#include "core/scalar_functions.h"
#include "nn/module.h"

namespace rz::nn {

struct LinearOptions {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  bool bias = true;
  Initializer weight_init{};  // default: uniform(1 / sqrt(inputs)), the framework default of the authors' code
  Initializer bias_init{};    // default: the same
};

class Linear : public Module {
 public:
  Linear(ParameterStore& store, const std::string& name, const LinearOptions& options);
  Variable forward(const Variable& x) const override { return forward(x, ScalarFunction::identity); }
  Variable forward(const Variable& x, Scalar activation) const;
  const Parameter& weight() const { return weight_; }
  const Parameter& bias() const { return bias_; }

 private:
  Parameter weight_, bias_;
};

}  // namespace rz::nn
