// Nothing in a tape recurses: very deep computations run on a thread with a small stack.

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "autograd/transforms.h"
#include "core/ops.h"
#include "support/close.h"
#include "support/initializers.h"
#include "support/inputs.h"
#include "support/small_stack.h"

using namespace rz;
using namespace rz::test;

namespace {

constexpr int operations = 100000;

Variable long_chain(Variable x) {
  for (int i = 0; i < operations; ++i) x = scale(i % 2 ? 2 : 0.5, x);
  return x;
}

// x + a relu(W x + b), `depth` times, width 4.
struct DeepNet {
  ParameterStore store;
  std::vector<Parameter> weights, biases;
  Parameter gates;
  explicit DeepNet(int depth) {
    for (int i = 0; i < depth; ++i) {
      weights.push_back(store.declare("weight." + std::to_string(i), {4, 4}, Role::weight, normal(0.7)));
      biases.push_back(store.declare("bias." + std::to_string(i), {4}, Role::bias, normal(0.5)));
    }
    gates = store.declare("resweight", {depth}, Role::residual_weight, normal(1e-3));
    store.build(1, DType::f64);
  }
  Variable forward(Variable x) const {
    for (std::size_t i = 0; i < weights.size(); ++i)
      x = residual_add(x, linear(x, weights[i], biases[i], ScalarFunction::relu), gates, static_cast<std::int64_t>(i));
    return x;
  }
};

}  // namespace

TEST_SUITE("autograd/depth") {
  TEST_CASE("depth: 100,000 operations are recorded, differentiated and freed on a stack of 1 MiB") {
    std::size_t size = 0;
    Tensor gradient;
    on_small_stack([&] {
      Tape tape;
      const Variable x = tape.leaf(Tensor::full({4}, 3, DType::f64));
      const Variable y = long_chain(x);
      size = tape.size();
      tape.backward(sum(y));
      gradient = tape.gradient(x);
    });
    CHECK(size == operations + 1);
    CHECK(close(gradient, {1, 1, 1, 1}, 0));
  }

  TEST_CASE("depth: a tape that is never differentiated, and 100,000 tangents") {
    std::size_t size = 0;
    Tensor tangent;
    on_small_stack([&] {
      {
        Tape tape;
        long_chain(tape.leaf(Tensor::full({4}, 3, DType::f64)));
        size = tape.size();
      }
      tangent = jvp(long_chain, Tensor::full({2}, 3, DType::f64), Tensor::full({1, 2}, 5, DType::f64)).tangent;
    });
    CHECK(size == operations + 1);
    CHECK(close(tangent, {5, 5}, 0));
  }

  TEST_CASE("depth: a ReZero network of 10,000 layers is built, differentiated and freed on a stack of 1 MiB") {
    double norm = NAN;
    Tensor gates;
    on_small_stack([&] {
      DeepNet net(10000);
      const Tensor x = normal_input({3, 4}, "x");
      {
        Tape tape;
        tape.backward(mean(square(net.forward(x))));
      }
      norm = ops::sum_of_squares(net.store.gradients()).item();
      gates = net.gates.gradient().clone();
    });
    CHECK((std::isfinite(norm) && norm > 0));
    std::size_t zeros = 0;
    for (const double d_gate : gates.to_vector()) zeros += d_gate == 0;
    CHECK(zeros < 5000);
  }
}
