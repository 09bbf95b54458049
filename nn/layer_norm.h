// LayerNorm over the last axis (Ba et al. 2016).   Parameters NAME.weight (1), NAME.bias (0), both [features].
#pragma once

#include "nn/module.h"

namespace rz::nn {

class LayerNorm : public Module {
 public:
  LayerNorm(ParameterStore& store, const std::string& name, std::int64_t features, double eps = 1e-5);
  Variable forward(const Variable& x) const override;

 private:
  Parameter gain_, bias_;
  double eps_;
};

}  // namespace rz::nn
