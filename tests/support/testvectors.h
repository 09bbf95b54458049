// The networks of tests/reference/testvectors.json, with their explicit weights.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "nn/models/fully_connected.h"
#include "support/lcg.h"
#include "support/reference.h"

namespace rz::test {

inline void set(nn::Model& model, const std::string& name, const std::vector<double>& values) {
  const Parameter p = model.parameters().find(name);
  REQUIRE(p.defined());
  p.value().copy_from(Tensor::of(p.shape(), values));
}

inline std::string our_activation(std::string name) {  // the file's names beside ours
  name = name.substr(name.find('_') + 1);
  if (name == "linear") return "identity";
  return name == "hardtanh" ? "hard_tanh" : name;
}

// h = W f(h) + b; the first of the L layers is the input layer.
inline std::unique_ptr<nn::FullyConnected> mlp_of(const nlohmann::json& c) {
  const std::int64_t n = c["N"], depth = c["L"];
  auto model = std::make_unique<nn::FullyConnected>(
      nn::FullyConnectedOptions{.inputs = {n},
                                .depth = depth - 1,
                                .width = n,
                                .residual = {.form = nn::Form::deep},
                                .activation = activation_named(our_activation(c["name"])),
                                .branch = nn::Branch::activation_first});
  model->parameters().build(1, DType::f64);
  Lcg lcg(c["seed"]);
  for (std::int64_t l = 0; l < depth; ++l) {
    const std::string layer = l == 0 ? "linear_input" : "linear_layers." + std::to_string(l - 1);
    set(*model, layer + ".weight", lcg.draw(n * n, c["w_scale"]));
    set(*model, layer + ".bias", lcg.draw(n, c["b_scale"]));
  }
  return model;
}

// h += a W tanh(h), h_0 = x.
inline std::unique_ptr<nn::FullyConnected> rezero_of(const nlohmann::json& c) {
  const std::int64_t n = c["N"], depth = c["L"];
  auto model = std::make_unique<nn::FullyConnected>(
      nn::FullyConnectedOptions{.inputs = {n},
                                .depth = depth,
                                .width = n,
                                .residual = {.form = nn::Form::rezero, .gate = {c["alpha"].get<double>()}},
                                .activation = ScalarFunction::tanh,
                                .branch = nn::Branch::activation_first});
  model->parameters().build(1, DType::f64);
  Lcg lcg(c["seed"]);
  for (std::int64_t l = 0; l < depth; ++l) {
    set(*model, "linear_layers." + std::to_string(l) + ".weight", lcg.draw(n * n, c["w_scale"]));
    set(*model, "linear_layers." + std::to_string(l) + ".bias", std::vector<double>(static_cast<std::size_t>(n), 0.0));
  }
  return model;
}

}  // namespace rz::test
