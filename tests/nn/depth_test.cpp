#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/ops.h"
#include "nn/models/fully_connected.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/small_stack.h"

using namespace rz;
using namespace rz::test;

TEST_SUITE("nn/depth") {
  TEST_CASE("depth: a ReZero network of 10,000 layers is built, trained a step and freed on a stack of 1 MiB") {
    double weights = NAN, gates = NAN;
    std::int64_t scalars = 0;
    on_small_stack([&] {
      nn::FullyConnected net({.inputs = {4}, .outputs = 4, .depth = 10000, .width = 4, .residual = {.gate = {1e-3}}});
      ParameterStore& store = net.parameters();
      store.build(1);
      scalars = store.scalars();
      {
        Tape tape;
        tape.backward(mean(square(net(normal_input({3, 4}, "x", DType::f32)))));
      }
      weights = ops::sum_of_squares(store.gradients(Role::weight)).item();
      gates = ops::sum_of_squares(store.gradients(Role::residual_weight)).item();
    });
    CHECK(scalars == 10000 * 21 + 40);
    CHECK((std::isfinite(weights) && weights > 0));
    CHECK((std::isfinite(gates) && gates > 0));
  }
}
