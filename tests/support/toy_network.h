// A small network in files, for tests of the commands that read one: 5 inputs, 2 layers of 4 tanh units, 3 outputs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/safetensors.h"
#include "nn/models/fully_connected.h"
#include "support/command.h"
#include "support/temporary_folder.h"

namespace rz::test {

struct ToyNetwork {
  TemporaryFolder folder;
  std::string recipe = folder / "toy.toml", weights = folder / "toy.safetensors";
  nn::FullyConnected model;  // f64, with gates of 1/3, so that nothing is a round number

  ToyNetwork() : model(options()) {
    write_file(recipe, "[model]\ndepth = 2\nwidth = 4\nactivation = \"tanh\"\ninputs = 5\noutputs = 3\n");
    model.parameters().build(7, DType::f64);
    model.set_training(false);
    save_weights(weights);
  }

  // Its parameters, after `change` had its way with each.
  void save_weights(const std::string& path, const std::function<void(NamedTensor&)>& change = {}) {
    std::vector<NamedTensor> tensors;
    for (int i = 0; i < model.parameters().size(); ++i) {
      const Parameter parameter = model.parameters()[i];
      tensors.push_back({parameter.name(), parameter.value().clone()});
      if (change) change(tensors.back());
    }
    save_safetensors(path, tensors);
  }

 private:
  static nn::FullyConnectedOptions options() {
    nn::FullyConnectedOptions options;
    options.inputs = {5};
    options.outputs = 3;
    options.depth = 2;
    options.width = 4;
    options.activation = ScalarFunction::tanh;
    options.residual.gate = {1.0 / 3};
    return options;
  }
};

}  // namespace rz::test
