// A fully connected network of 8 inputs and 3 outputs in f64, as it is before training.
#pragma once

#include <memory>

#include "nn/models/fully_connected.h"

namespace rz::test {

inline std::unique_ptr<nn::FullyConnected> network(nn::FullyConnectedOptions options, std::uint64_t seed = 1) {
  options.inputs = {8};
  options.outputs = 3;
  auto model = std::make_unique<nn::FullyConnected>(options);
  model->parameters().build(seed, DType::f64);
  model->set_training(false);
  return model;
}

}  // namespace rz::test
