// A network at its start, layer by layer, and the Jacobian of its stack: what a residual form does before any training.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/module.h"
#include "tools/isometry/spectrum.h"

namespace rz::isometry {

struct LayerStart {
  double gate = 0;          // mean of the layer's gates; NaN where there are none
  double branch_ratio = 0;  // |F| / |x|, F after its norm and before the gate; norms over all inputs together
  double norm = 0;          // root mean square of x_{l+1}, over inputs and units
};

struct Start {
  double input_norm = 0;  // root mean square of x_0, the input of the stack
  std::vector<LayerStart> layers;
  Result stack;  // singular values of the stack's Jacobian
};

// inputs [samples, ...input_shape]; the Jacobian is taken at the first `jacobians` of them.
// Throws: value (a value or Jacobian that is not finite), shape
Start measure_start(const nn::Model& model, const Tensor& inputs, std::int64_t jacobians);

}  // namespace rz::isometry
