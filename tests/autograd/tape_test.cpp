#include "autograd/tape.h"

#include <doctest/doctest.h>

#include <memory>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/ops.h"
#include "support/close.h"
#include "support/initializers.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

// x -> f64 loss of a linear layer, mean over rows.
struct Layer {
  ParameterStore store;
  Parameter weight, bias, unused;
  Layer() {
    weight = store.declare("weight", {2, 3}, Role::weight, normal());
    unused = store.declare("unused", {5}, Role::weight, normal());
    bias = store.declare("bias", {2}, Role::bias, normal());
    store.build(1, DType::f64);
  }
  Variable loss(const Variable& x) const { return mean(square(tanh(linear(x, weight, bias)))); }
  Tensor gradients(const Tensor& x, bool accumulate = false) {
    Tape tape;
    tape.backward(loss(x), accumulate);
    return store.gradients();
  }
};

}  // namespace

TEST_SUITE("autograd/tape") {
  TEST_CASE("tape: without one nothing is recorded, and constants are not recorded with one") {
    const Tensor x = normal_input({2, 3}, "x");
    CHECK(Tape::active() == nullptr);
    CHECK_FALSE(tanh(x).recorded());
    Tape tape;
    CHECK(Tape::active() == &tape);
    CHECK_FALSE(tanh(x).recorded());
    CHECK(tape.size() == 0);
    const Variable leaf = tape.leaf(x);
    CHECK(tanh(leaf).recorded());
    CHECK_FALSE(tanh(leaf.detached()).recorded());
    CHECK(tape.size() == 2);
    {
      const NoRecording off;
      CHECK_FALSE(tanh(leaf).recorded());
    }
    CHECK(tape.size() == 2);
  }

  TEST_CASE("tape: a thread has one at a time") {
    auto tape = std::make_unique<Tape>();
    CHECK(mentions(message_of(ErrorCode::value, [] { Tape second; }), {"tape", "already"}));
    CHECK(Tape::active() == tape.get());
    tape.reset();
    CHECK(Tape::active() == nullptr);
    Tape next;
    CHECK(Tape::active() == &next);
  }

  TEST_CASE("tape: a backward pass consumes it") {
    Tape tape;
    const Variable x = tape.leaf(Tensor::full({}, 2, DType::f64));
    const Variable y = square(x);
    tape.backward(y);
    CHECK(tape.gradient(x).item() == 4);
    CHECK(mentions(message_of(ErrorCode::value, [&] { tape.backward(y); }), {"backward", "consumed"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { square(x); }), {"scalar", "after the backward pass"}));
  }

  TEST_CASE("tape: a variable of another tape is refused") {
    Variable old;
    {
      Tape tape;
      old = square(tape.leaf(Tensor::full({2}, 1, DType::f64)));
    }
    Tape tape;
    const Variable x = tape.leaf(Tensor::full({2}, 1, DType::f64));
    CHECK(mentions(message_of(ErrorCode::value, [&] { add(x, old); }), {"tape", "another tape", "detached"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { tape.gradient(old); }), {"another tape"}));
    CHECK(add(x, old.detached()).recorded());
  }

  TEST_CASE("tape: wrong uses of backward and gradient are refused") {
    Tape tape;
    const Variable x = tape.leaf(Tensor::full({2}, 1, DType::f64)), y = square(x);
    CHECK(mentions(message_of(ErrorCode::shape, [&] { tape.backward(y); }), {"backward", "[2]", "sum"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { tape.backward(y, Tensor::full({1}, 1, DType::f64)); }),
                   {"d_y [1]", "[2]"}));
    CHECK(mentions(message_of(ErrorCode::dtype, [&] { tape.backward(y, Tensor::full({2}, 1)); }), {"f32", "f64"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { tape.gradient(Variable(y.value())); }), {"constant"}));
    tape.backward(y, Tensor::full({2}, 1, DType::f64));
  }

  TEST_CASE("tape: a leaf that is not reached has gradient 0, and a constant loss moves nothing") {
    {
      Tape tape;
      const Variable x = tape.leaf(normal_input({3}, "x")), unused = tape.leaf(normal_input({2, 2}, "u"));
      const Variable aside = tanh(unused);
      tape.backward(sum(x));
      CHECK(identical(tape.gradient(unused), Tensor::zeros({2, 2}, DType::f64)));
      CHECK(identical(tape.gradient(x), Tensor::full({3}, 1, DType::f64)));
      CHECK(aside.recorded());
    }
    Tape tape;
    const Variable x = tape.leaf(normal_input({3}, "x"));
    tape.backward(Variable(Tensor::full({}, 1, DType::f64)));
    CHECK(identical(tape.gradient(x), Tensor::zeros({3}, DType::f64)));
  }

  TEST_CASE("tape: the leaf or the parameter itself may be differentiated") {
    {
      Tape tape;
      const Variable x = tape.leaf(normal_input({3}, "x"));
      tape.backward(x, normal_input({3}, "d"));
      CHECK(identical(tape.gradient(x), normal_input({3}, "d")));
    }
    Layer layer;
    for (const bool accumulate : {false, true}) {
      Tape tape;
      tape.backward(layer.bias.variable(), Tensor::of({2}, std::vector<double>{3, 4}), accumulate);
      CHECK(close(layer.bias.gradient(), {accumulate ? 6.0 : 3.0, accumulate ? 8.0 : 4.0}, 0));
    }
  }

  TEST_CASE("tape: a gradient that is handed on to two inputs is not changed behind one's back") {
    // add and residual_add hand d_y on; here each receiver then adds another gradient to its own.
    Tape tape;
    const Tensor a = normal_input({2, 2}, "a"), b = normal_input({2, 2}, "b"), d_y = normal_input({2, 2}, "d");
    const Tensor kept = d_y.clone();
    const Variable x = tape.leaf(a), z = tape.leaf(b);
    const Variable p = scale(2, x), q = scale(3, z);
    const Variable y = add(add(p, q), add(reshape(p, {2, 2}), multiply(q, Variable(a))));
    tape.backward(y, d_y);
    CHECK(close(tape.gradient(x), ops::scale(4, kept), 1e-15));
    CHECK(close(tape.gradient(z), ops::multiply(kept, ops::add(Tensor::full({1}, 3, DType::f64), ops::scale(3, a))),
                1e-15));
    CHECK(identical(d_y, kept));
  }

  TEST_CASE("tape: b = a + a, c = b + b") {
    Tape tape;
    const Variable a = tape.leaf(Tensor::of({2}, std::vector{1.0, -3.0}));
    const Variable b = add(a, a), c = add(b, b);
    tape.backward(sum(c));
    CHECK(close(c.value(), {4, -12}, 0));
    CHECK(close(tape.gradient(a), {4, 4}, 0));
  }

  TEST_CASE("tape: gradients of parameters: used twice, unused, unseen, and left from an earlier step") {
    Layer layer;
    const Tensor x = normal_input({4, 3}, "x");
    ops::fill(layer.store.gradients(), 7);
    {
      Tape tape;
      const Variable unused = layer.unused;  // the tape sees it, nothing uses it
      const Variable once = linear(x, layer.weight, layer.bias), again = linear(x, layer.weight, layer.bias);
      tape.backward(sum(add(once, scale(2, again))));
      CHECK(tape.gradient(unused).shape() == Shape{5});
    }
    const int rows[] = {0};
    const Tensor column_sums = ops::scale(3, ops::reduce(Reduction::sum, x, rows));
    CHECK(close(layer.weight.gradient(), ops::add(column_sums, Tensor::zeros({2, 3}, DType::f64)), 1e-14));
    CHECK(close(layer.bias.gradient(), {12, 12}, 0));
    CHECK(identical(layer.unused.gradient(), Tensor::zeros({5}, DType::f64)));
    // A parameter of a store that the tape saw in another parameter is set to 0 as well.
    ops::fill(layer.store.gradients(), 7);
    {
      Tape tape;
      tape.backward(sum(layer.bias));
    }
    CHECK(identical(layer.weight.gradient(), Tensor::zeros({2, 3}, DType::f64)));
    CHECK(close(layer.bias.gradient(), {1, 1}, 0));
  }

  TEST_CASE("tape: micro-batches add up to the batch") {
    Layer layer;
    const Tensor x = normal_input({6, 3}, "x");
    const Tensor whole = layer.gradients(x).clone();
    Tensor parts = Tensor::zeros(whole.shape(), DType::f64);
    for (std::int64_t k = 0; k < 3; ++k)
      ops::scale(1.0 / 3, layer.gradients(x.rows(2 * k, 2)), Destination{parts, true});
    for (std::int64_t k = 0; k < 3; ++k) layer.gradients(x.rows(2 * k, 2), k > 0);
    CHECK(close(ops::scale(1.0 / 3, layer.store.gradients()), whole, 1e-14));
    CHECK(close(parts, whole, 1e-14));
  }

  TEST_CASE("tape: two stores on one tape") {
    Layer first, second;
    const Tensor x = normal_input({4, 3}, "x");
    {
      Tape tape;
      tape.backward(add(first.loss(x), scale(2, second.loss(x))));
    }
    CHECK(close(second.store.gradients(), ops::scale(2, first.store.gradients()), 1e-15));
  }

  TEST_CASE("tape: an error in a backward rule names the operation, and the next tape is not disturbed") {
    const Tensor value = Tensor::full({2}, 1, DType::f64);
    const auto broken = [](const Variable& x) {
      return record(
          "scale", {x}, x.value(), [](const Tensor&, Gradients&) { RZ_FAIL(value, "the rule fails"); },
          [](const Primals&, const Tangents&) { return Variable(); });
    };
    {
      Tape tape;
      const Variable y = sum(broken(tape.leaf(value)));
      CHECK(mentions(message_of(ErrorCode::value, [&] { tape.backward(y); }), {"backward of scale", "the rule fails"}));
    }
    Tape tape;
    const Variable x = tape.leaf(value);
    tape.backward(sum(x));
    CHECK(close(tape.gradient(x), {1, 1}, 0));
  }

  TEST_CASE("record: messages know where in the model they arise, and the first value that is not finite is found") {
    CHECK(Scope::path() == "");
    const Scope outer("stack"), inner("linear_layers", 12);
    CHECK(Scope::path() == "stack.linear_layers.12");
    const FiniteCheck check;
    CHECK(message_of(ErrorCode::value, [] { FiniteCheck second; }) != "");
    const Variable x = Tensor::of({2}, std::vector<double>{-1, 2});
    tanh(x);
    CHECK(check.first() == "");
    const Variable bad = sqrt(x);
    exp(bad);
    CHECK(check.first() == "stack.linear_layers.12: scalar");
  }
}
