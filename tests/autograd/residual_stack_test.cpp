// The stack as one operation against the same layers one by one; op_table holds its derivatives against differences.
#include <doctest/doctest.h>

#include <vector>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "autograd/transforms.h"
#include "core/backend.h"
#include "core/parallel.h"
#include "support/close.h"
#include "support/inputs.h"

namespace rz::test {
namespace {

struct Stack {
  std::vector<Variable> weights, biases;
  Variable gates;
  Scalar f;

  Stack(std::int64_t layers, std::int64_t width, Scalar function, DType dtype) : f(function) {
    for (std::int64_t l = 0; l < layers; ++l) {
      const std::string name = std::to_string(l);
      weights.push_back(scale(0.3, normal_input({width, width}, "weight" + name, dtype)));
      biases.push_back(normal_input({width}, "bias" + name, dtype));
    }
    gates = normal_input({layers}, "gates", dtype);
  }
  Variable at_once(const Variable& x) const { return residual_stack(x, weights, biases, gates, f); }
  Variable one_by_one(const Variable& x) const {
    Variable h = x;
    for (std::size_t l = 0; l < weights.size(); ++l)
      h = residual_add(h, linear(h, weights[l], biases[l], f), gates, static_cast<std::int64_t>(l));
    return h;
  }
};

const Scalar functions[] = {
    ScalarFunction::relu, ScalarFunction::tanh, ScalarFunction::gelu, {ScalarFunction::leaky_relu, 0.2}};

}  // namespace

TEST_SUITE("autograd/residual_stack") {
  TEST_CASE("residual_stack: its Jacobian at one input is that of its layers") {
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (const std::int64_t width : {16, 33, 130}) {
        for (const Scalar f : functions) {
          INFO(name(dtype) << " " << width << " " << info(f.function).name);
          const Stack stack(5, width, f, dtype);
          const Tensor x = normal_input({1, width}, "x", dtype);
          const Tensor expected = jacobian([&](const Variable& v) { return stack.one_by_one(v); }, x);
          const Function at_once = [&](const Variable& v) { return stack.at_once(v); };
          const double eps = (dtype == DType::f32 ? 1e-5 : 1e-13) * static_cast<double>(width);
          CHECK(close(jacobian(at_once, x), expected, eps));
          CHECK(close(jacobian(at_once, x, {.concurrent = true}), expected, eps));
          CHECK(close(jacobian(at_once, x, {.mode = JacobianMode::reverse}), expected, eps));
        }
      }
    }
  }

  TEST_CASE("residual_stack: closed gates pass everything, and tell their gradient") {
    Stack stack(3, 32, ScalarFunction::relu, DType::f64);
    stack.gates = Tensor::zeros({3}, DType::f64);
    const Tensor x = normal_input({40, 32}, "x", DType::f64);
    Tape tape;
    const Variable gates = tape.leaf(stack.gates), in = tape.leaf(x);
    stack.gates = gates;
    const Variable y = stack.at_once(in);
    CHECK(identical(y.value(), x));
    tape.backward(sum(y));
    CHECK(identical(tape.gradient(in), Tensor::full({40, 32}, 1, DType::f64)));
    CHECK(tape.gradient(gates).to_vector()[0] > 0);  // the sum of relu(z)
  }

  TEST_CASE("residual_stack: in every precision of products it is its layers, and goes back as it came") {
    const Stack stack(4, 96, ScalarFunction::tanh, DType::f32);
    const Tensor x = normal_input({70, 96}, "x", DType::f32), d_y = normal_input({70, 96}, "d_y", DType::f32);
    // y and gradients; `back` is around the backward pass, whose precision is the forward pass's.
    const auto results = [&](ProductPrecision precision, ProductPrecision back, bool at_once) {
      Tape tape;
      Stack leaves = stack;
      for (Variable& w : leaves.weights) w = tape.leaf(w.value());
      for (Variable& b : leaves.biases) b = tape.leaf(b.value());
      leaves.gates = tape.leaf(stack.gates.value());
      const Variable in = tape.leaf(x);
      Variable y;
      {
        const ProductPrecisionScope scope(precision);
        y = at_once ? leaves.at_once(in) : leaves.one_by_one(in);
      }
      const ProductPrecisionScope scope(back);
      tape.backward(y, d_y);
      std::vector<Tensor> all{y.value()};
      for (const Variable& v : {in, leaves.gates, leaves.weights[0], leaves.weights[3], leaves.biases[2]})
        all.push_back(tape.gradient(v));
      return all;
    };
    const std::vector<Tensor> plain = results(ProductPrecision::plain, ProductPrecision::plain, true);
    for (const ProductPrecision p : {ProductPrecision::f32, ProductPrecision::high, ProductPrecision::bf16}) {
      if (!backend(Device::cpu()).missing_for(p).empty()) continue;
      const std::vector<Tensor> all = results(p, p, true), later = results(p, ProductPrecision::plain, true),
                                layers = results(p, p, false);
      for (std::size_t i = 0; i < all.size(); ++i) {
        INFO(name(p), " ", i);
        CHECK(close(all[i], layers[i], p == ProductPrecision::bf16 ? 2e-2 : 1e-4));
        CHECK(close(all[i], plain[i], p == ProductPrecision::bf16 ? 0.5 : 1e-3));
        CHECK(identical(all[i], later[i]));
      }
      if (p == ProductPrecision::bf16) CHECK(!close(all[0], plain[0], 1e-4));
    }
  }

  TEST_CASE("residual_stack: the bits do not depend on the number of threads [threads]") {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Stack stack(7, 48, ScalarFunction::tanh, dtype);
      const Tensor x = normal_input({100, 48}, "x", dtype), d_y = normal_input({100, 48}, "d_y", dtype);
      const Tensor row = normal_input({1, 48}, "row", dtype);
      const auto results = [&] {
        std::vector<Tensor> all{jacobian([&](const Variable& v) { return stack.at_once(v); }, row)};
        Tape tape;
        Stack leaves = stack;
        for (Variable& w : leaves.weights) w = tape.leaf(w.value());
        for (Variable& b : leaves.biases) b = tape.leaf(b.value());
        leaves.gates = tape.leaf(stack.gates.value());
        const Variable in = tape.leaf(x), y = leaves.at_once(in);
        all.push_back(y.value());
        tape.backward(y, d_y);
        for (const Variable& v : {in, leaves.gates, leaves.weights[0], leaves.weights[6], leaves.biases[3]})
          all.push_back(tape.gradient(v));
        return all;
      };
      const int before = threads();
      set_threads(1);
      const std::vector<Tensor> one = results();
      set_threads(3);
      const std::vector<Tensor> three = results();
      set_threads(before);
      for (std::size_t i = 0; i < one.size(); ++i) CHECK(identical(one[i], three[i]));
    }
  }
}

}  // namespace rz::test
