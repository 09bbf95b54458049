// Small networks with explicit weights: outputs, Jacobians and singular values to 25 digits
// (tests/reference/testvectors.json).
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "core/linalg.h"
#include "nn/models/fully_connected.h"
#include "support/close.h"
#include "support/lcg.h"
#include "support/reference.h"

namespace {
using namespace rz;
using namespace rz::test;

void set(nn::Model& model, const std::string& name, const std::vector<double>& values) {
  const Parameter p = model.parameters().find(name);
  REQUIRE(p.defined());
  p.value().copy_from(Tensor::of(p.shape(), values));
}

std::string activation_of(std::string name) {  // the file's names beside ours
  name = name.substr(name.find('_') + 1);
  if (name == "linear") return "identity";
  return name == "hardtanh" ? "hard_tanh" : name;
}

void check_case(const nlohmann::json& c, const Function& f, const Tensor& x) {
  const std::int64_t n = x.elements();
  CHECK(close(f(Variable(x)).value().reshape({n}), numbers(c["y"]), 1e-13));
  const std::vector<double> exact = numbers(c["J"]), sigma = numbers(c["sv"]);
  for (const JacobianMode mode : {JacobianMode::forward, JacobianMode::reverse}) {
    const Tensor j = jacobian(f, x, {.mode = mode});
    CHECK(close(j, exact, 1e-12 * sigma[0]));
    CHECK(close(svdvals(j), sigma, 1e-13 * sigma[0]));
  }
}
}  // namespace

TEST_SUITE("nn/testvectors") {
  TEST_CASE("mean-field networks h = W f(h) + b with every activation") {
    int cases = 0;
    for (const nlohmann::json& c : reference("testvectors.json")["cases"]) {
      const std::string name = c["name"];
      if (!name.starts_with("mlp_")) continue;
      CAPTURE(name);
      ++cases;
      const std::int64_t n = c["N"], depth = c["L"];
      nn::FullyConnected model({.inputs = {n},
                                .depth = depth - 1,
                                .width = n,
                                .residual = {.form = nn::Form::deep},
                                .activation = activation_named(activation_of(name)),
                                .branch = nn::Branch::activation_first});
      model.parameters().build(1, DType::f64);
      Lcg lcg(c["seed"]);
      for (std::int64_t l = 0; l < depth; ++l) {
        const std::string layer = l == 0 ? "linear_input" : "linear_layers." + std::to_string(l - 1);
        set(model, layer + ".weight", lcg.draw(n * n, c["w_scale"]));
        set(model, layer + ".bias", lcg.draw(n, c["b_scale"]));
      }
      const nn::Stages chain = model.stages();
      check_case(
          c,
          [&](const Variable& x) {
            Variable h = chain.input(x);
            for (const Function& stage : chain.stages) h = stage(h);
            return h;
          },
          Tensor::of({1, n}, numbers(c["x"])));
    }
    CHECK(cases == 10);
  }

  TEST_CASE("ReZero networks h += a W tanh(h)") {
    int cases = 0;
    for (const nlohmann::json& c : reference("testvectors.json")["cases"]) {
      const std::string name = c["name"];
      if (!name.starts_with("rezero_")) continue;
      CAPTURE(name);
      ++cases;
      const std::int64_t n = c["N"], depth = c["L"];
      nn::FullyConnected model({.inputs = {n},
                                .depth = depth,
                                .width = n,
                                .residual = {.form = nn::Form::rezero, .gate = {c["alpha"].get<double>()}},
                                .activation = ScalarFunction::tanh,
                                .branch = nn::Branch::activation_first});
      model.parameters().build(1, DType::f64);
      Lcg lcg(c["seed"]);
      for (std::int64_t l = 0; l < depth; ++l) {
        set(model, "linear_layers." + std::to_string(l) + ".weight", lcg.draw(n * n, c["w_scale"]));
        set(model, "linear_layers." + std::to_string(l) + ".bias",
            std::vector<double>(static_cast<std::size_t>(n), 0.0));
      }
      const nn::Stages chain = model.stages();
      check_case(
          c,
          [&](const Variable& x) {
            Variable h = x;
            for (const Function& stage : chain.stages) h = stage(h);
            return h;
          },
          Tensor::of({1, n}, numbers(c["x"])));
    }
    CHECK(cases == 4);
  }
}
