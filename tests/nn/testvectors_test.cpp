// Small networks with explicit weights: outputs, Jacobians and singular values to 25 digits
// (tests/reference/testvectors.json).
#include "support/testvectors.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "core/linalg.h"
#include "support/close.h"

namespace {
using namespace rz;
using namespace rz::test;

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
      const auto model = mlp_of(c);
      const std::int64_t n = c["N"];
      const nn::Stages chain = model->stages();
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
      const auto model = rezero_of(c);
      const std::int64_t n = c["N"];
      const nn::Stages chain = model->stages();
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
