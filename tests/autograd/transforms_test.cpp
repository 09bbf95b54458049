#include "autograd/transforms.h"

#include <doctest/doctest.h>

#include <cmath>
#include <utility>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/ops.h"
#include "core/step.h"
#include "support/close.h"
#include "support/initializers.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

// Two gated layers and a norm: [rows, 5] -> [rows, outputs].
struct Net {
  ParameterStore store;
  Parameter first, second, gain, bias, gates, last;
  ScalarFunction activation;
  explicit Net(std::int64_t outputs = 3, DType dtype = DType::f64, ScalarFunction f = ScalarFunction::tanh)
      : activation(f) {
    first = store.declare("first", {5, 5}, Role::weight, normal(0.5));
    second = store.declare("second", {5, 5}, Role::weight, normal(0.5));
    last = store.declare("last", {outputs, 5}, Role::weight, normal(0.5));
    gain = store.declare("gain", {5}, Role::norm, normal(1));
    bias = store.declare("bias", {5}, Role::norm, normal(1));
    gates = store.declare("gates", {2}, Role::residual_weight, normal(1));
    store.build(4, dtype);
  }
  Variable layer(const Variable& x, const Parameter& weight, std::int64_t i) const {
    return residual_add(x, linear(x, weight, {}, activation), gates, i);
  }
  Variable forward(const Variable& x) const {
    return linear(layer_norm(layer(layer(x, first, 0), second, 1), gain, bias), last, {});
  }
  Function function() const {
    return [this](const Variable& x) { return forward(x); };
  }
};

// Column by column, by central differences.
Tensor numeric_jacobian(const Function& f, const Tensor& x) {
  std::vector<double> at = x.to_vector(), j;
  const std::size_t n = at.size();
  std::vector<std::vector<double>> columns;
  for (std::size_t e = 0; e < n; ++e) {
    const double middle = at[e], h = 1e-5;
    const auto value = [&](double point) {
      at[e] = point;
      return f(Variable(Tensor::of(x.shape(), at))).value().to_vector();
    };
    std::vector<double> high = value(middle + h);
    const std::vector<double> low = value(middle - h);
    for (std::size_t o = 0; o < high.size(); ++o) high[o] = (high[o] - low[o]) / (2 * h);
    columns.push_back(std::move(high));
    at[e] = middle;
  }
  for (std::size_t o = 0; o < columns[0].size(); ++o)
    for (std::size_t e = 0; e < n; ++e) j.push_back(columns[e][o]);
  return Tensor::of({static_cast<std::int64_t>(columns[0].size()), static_cast<std::int64_t>(n)}, j);
}

// d f / d (all parameters) by differences, flat like store.values().
Tensor numeric_gradient(ParameterStore& store, const std::function<double()>& f) {
  const std::vector<double> original = store.values().to_vector();
  std::vector<double> moved = original, gradient;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    const auto at = [&](double point) {
      moved[i] = point;
      store.values().copy_from(Tensor::of(store.values().shape(), moved));
      return f();
    };
    const double high = at(original[i] + 1e-5), low = at(original[i] - 1e-5);
    gradient.push_back((high - low) / 2e-5);
    at(original[i]);
  }
  return Tensor::of(store.values().shape(), gradient);
}

}  // namespace

TEST_SUITE("autograd/transforms") {
  TEST_CASE("jacobian: forward, reverse and differences agree, for wide and tall") {
    for (const std::int64_t outputs : {2, 8}) {
      INFO(outputs << " outputs of 5 inputs");
      const Net net(outputs);
      const Tensor x = normal_input({1, 5}, "x");
      const Tensor forward = jacobian(net.function(), x, {.mode = JacobianMode::forward});
      const Tensor reverse = jacobian(net.function(), x, {.mode = JacobianMode::reverse});
      CHECK(forward.shape() == Shape{outputs, 5});
      CHECK(close(reverse, forward, 1e-13));
      CHECK(close(forward, numeric_jacobian(net.function(), x), 1e-7));
      CHECK(identical(jacobian(net.function(), x), outputs < 5 ? reverse : forward));
    }
  }

  TEST_CASE("jacobian: of layers with inactive units, as in reverse mode, by differences and inside a step") {
    for (const ScalarFunction f : {ScalarFunction::relu, ScalarFunction::hard_tanh}) {
      CAPTURE(info(f).name);
      const Net net(8, DType::f64, f);
      const Tensor x = normal_input({1, 5}, "x");
      const Tensor forward = jacobian(net.function(), x, {.mode = JacobianMode::forward});
      CHECK(close(forward, jacobian(net.function(), x, {.mode = JacobianMode::reverse}), 1e-13));
      CHECK(close(forward, numeric_jacobian(net.function(), x), 1e-7));
      const Tensor directions = Tensor::identity(5).reshape({5, 1, 5});
      Tensor rows;  // the columns of J
      Step step;    // where slopes cannot be read
      step.run([&] { rows = jvp(net.function(), x, directions).tangent; });
      CHECK(close(ops::gemm(Transpose::no, Tensor::identity(8), Transpose::yes, rows.reshape({5, 8})), forward, 1e-13));
    }
  }

  TEST_CASE("jacobian: f32, images, and inputs without a row axis") {
    const Net net(3, DType::f32);
    const Tensor x = normal_input({1, 5}, "x", DType::f32);
    CHECK(close(jacobian(net.function(), x, {.mode = JacobianMode::reverse}),
                jacobian(net.function(), x, {.mode = JacobianMode::forward}), 1e-5));
    const Function flattened = [](const Variable& image) {
      return reshape(square(image), {image.shape()[0], image.value().elements() / image.shape()[0]});
    };
    const Tensor image = normal_input({1, 2, 2, 2}, "image");
    const Tensor j = jacobian(flattened, image, {.mode = JacobianMode::reverse});
    CHECK(close(j, numeric_jacobian(flattened, image), 1e-7));
    CHECK(close(j, jacobian(flattened, image, {.mode = JacobianMode::forward}), 1e-15));
    // One output: reverse mode would be cheaper, but x has no row axis.
    const Function norm = [](const Variable& v) { return sum(square(v)); };
    const Tensor v = normal_input({4}, "v");
    CHECK(close(jacobian(norm, v), ops::scale(2, v).reshape({1, 4}), 1e-14));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { jacobian(norm, v, {.mode = JacobianMode::reverse}); }),
                   {"jacobian", "[1, ...]", "[4]"}));
  }

  TEST_CASE("jacobian: a small memory budget gives the same in chunks, too small a one is an error") {
    const Net net(7);
    const Tensor x = normal_input({1, 5}, "x");
    for (const JacobianMode mode : {JacobianMode::forward, JacobianMode::reverse}) {
      const Tensor whole = jacobian(net.function(), x, {.mode = mode});
      // One direction takes a few KB here: the budgets allow one at a time, a few, and all.
      std::int64_t budget = 64, refused = 0;
      for (; budget < (std::int64_t{1} << 20); budget *= 2) {
        try {
          CHECK(close(jacobian(net.function(), x, {.mode = mode, .memory = budget}), whole, 1e-14));
        } catch (const Error& error) {
          ++refused;
          CHECK(error.code() == ErrorCode::memory);
          CHECK(mentions(error.message(), {"jacobian: one direction takes", "bytes", "budget is"}));
        }
      }
      CHECK((refused > 0 && refused < 10));
    }
  }

  TEST_CASE("jacobian: active dropout is refused in reverse mode and right in forward mode") {
    StepState state;
    state.set(3, 0);
    const auto dropped = [&](double p) -> Function {
      return [&state, p](const Variable& x) { return dropout(square(x), p, {.seed = 1, .stream = 2}, state.tensor()); };
    };
    const Tensor x = normal_input({1, 40}, "x");
    const JacobianOptions reverse{.mode = JacobianMode::reverse};
    CHECK(mentions(message_of(ErrorCode::value, [&] { jacobian(dropped(0.5), x, reverse); }),
                   {"dropout is active", "forward mode"}));
    CHECK_FALSE(rows_must_be_independent());  // after an error too
    CHECK(close(jacobian(dropped(0), x, reverse), numeric_jacobian(dropped(0), x), 1e-7));
    CHECK(close(jacobian(dropped(0.5), x), numeric_jacobian(dropped(0.5), x), 1e-7));
  }

  TEST_CASE("jacobian: rows that depend on each other change the shape, and are refused") {
    const Function mixes = [](const Variable& x) { return sum(x); };
    const Tensor x = normal_input({1, 3}, "x");
    CHECK(mentions(message_of(ErrorCode::shape, [&] { jacobian(mixes, x, {.mode = JacobianMode::reverse}); }),
                   {"jacobian", "y [rows, ...]"}));
  }

  TEST_CASE("jvp and vjp: J v and J^T u of the explicit Jacobian; a constant function has none") {
    const Net net;
    const Tensor x = normal_input({1, 5}, "x"), v = normal_input({2, 1, 5}, "v"), u = normal_input({1, 3}, "u");
    const Tensor j = jacobian(net.function(), x);
    const ValueAndTangent forward = jvp(net.function(), x, v);
    CHECK(identical(forward.value, net.forward(x).value()));
    CHECK(
        close(forward.tangent.reshape({2, 3}), ops::gemm(Transpose::no, v.reshape({2, 5}), Transpose::yes, j), 1e-13));
    CHECK(close(vjp(net.function(), x, u), ops::gemm(Transpose::no, u, Transpose::no, j), 1e-13));
    const Function constant = [](const Variable&) { return Variable(Tensor::full({1, 3}, 1, DType::f64)); };
    CHECK(close(jvp(constant, x, v).tangent, Tensor::zeros({2, 1, 3}, DType::f64), 0));
    CHECK(close(vjp(constant, x, u), Tensor::zeros({1, 5}, DType::f64), 0));
  }

  TEST_CASE("forward mode: nesting, and tangents of a wrong shape or dtype, are refused") {
    const Variable x(normal_input({3}, "x"));
    const Variable t = x.with_tangent(Variable(normal_input({2, 3}, "t")));
    CHECK(mentions(message_of(ErrorCode::value, [&] { t.with_tangent(Variable(normal_input({2, 3}, "s"))); }),
                   {"forward mode", "nest"}));
    const Variable nested = Variable(normal_input({2, 3}, "s")).with_tangent(Variable(normal_input({1, 2, 3}, "r")));
    CHECK(mentions(message_of(ErrorCode::value, [&] { x.with_tangent(nested); }), {"nest"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { x.with_tangent(Variable(normal_input({3}, "s"))); }),
                   {"[3]", "[k, its shape]"}));
    CHECK(mentions(message_of(ErrorCode::dtype, [&] { x.with_tangent(Variable(Tensor::zeros({1, 3}))); }),
                   {"f32", "f64"}));
    const Function inner = [](const Variable& y) {
      return Variable(jvp([](const Variable& z) { return square(z); }, y.value(), Tensor::full({1, 3}, 1, DType::f64))
                          .tangent.reshape({3}));
    };
    CHECK(jvp(inner, x.value(), normal_input({1, 3}, "t")).value.shape() == Shape{3});  // on values alone it is fine
  }

  TEST_CASE("hessian_vector: with respect to x, against differences of the gradient") {
    const Net net;
    const Tensor x = normal_input({2, 5}, "x"), v = normal_input({2, 5}, "v");
    const Tensor labels = Tensor::of_integers({2}, std::vector<std::int64_t>{2, 0});
    const Function loss = [&](const Variable& in) { return softmax_cross_entropy(net.forward(in), labels); };
    const auto gradient_at = [&](double step) {
      return vjp(loss, ops::add(x, ops::scale(step, v)), Tensor::full({}, 1, DType::f64));
    };
    const GradientAndProduct result = hessian_vector(loss, x, v);
    CHECK(identical(result.gradient, gradient_at(0)));
    CHECK(close(result.product, ops::scale(5e4, ops::subtract(gradient_at(1e-5), gradient_at(-1e-5))), 1e-6));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { hessian_vector(net.function(), x, v); }),
                   {"hessian_vector", "[2, 3]", "one number"}));
  }

  TEST_CASE("hessian_vector: with respect to the parameters, against differences of the gradient") {
    Net net;
    const Tensor x = normal_input({2, 5}, "x");
    const Tensor v = normal_input(net.store.values().shape(), "v");
    const auto loss = [&] { return mean(square(net.forward(x))); };
    const Tensor start = net.store.values().clone();
    const auto gradient_at = [&](double step) {
      net.store.values().copy_from(ops::add(start, ops::scale(step, v)));
      Tape tape;
      tape.backward(loss());
      return net.store.gradients().clone();
    };
    const Tensor difference = ops::scale(5e4, ops::subtract(gradient_at(1e-5), gradient_at(-1e-5)));
    const Tensor gradient = gradient_at(0);
    const GradientAndProduct result = hessian_vector(loss, net.store, v);
    CHECK(identical(result.gradient, gradient));
    CHECK(close(result.product, difference, 1e-6));
    CHECK(net.first.variable().tangent() == nullptr);
    CHECK(message_of(ErrorCode::shape, [&] { hessian_vector(loss, net.store, normal_input({3}, "v")); }) != "");
  }

  TEST_CASE("jacobian_vector_norm: ||J v||^2, and its parameter gradient against differences") {
    for (const ScalarFunction f : {ScalarFunction::relu, ScalarFunction::tanh}) {
      CAPTURE(info(f).name);
      Net net(3, DType::f64, f);
      for (const std::int64_t rows : {1, 2}) {
        const Tensor x = normal_input({rows, 5}, "x"), v = normal_input({rows, 5}, "v");
        const Tensor direction = v.reshape({1, rows, 5});
        const auto norm = [&] { return ops::sum_of_squares(jvp(net.function(), x, direction).tangent).item(); };
        const Tensor numeric = numeric_gradient(net.store, norm);
        CHECK(close(jacobian_vector_norm(net.function(), x, v), norm(), 1e-14));
        CHECK(close(net.store.gradients(), numeric, 1e-6));
        CHECK(identical(net.bias.gradient(), Tensor::zeros({5}, DType::f64)));  // J does not depend on it
      }
    }
    Net net;
    const Tensor x = normal_input({2, 5}, "x"), v = normal_input({2, 5}, "v");
    // Nor does that of these on any parameter: a gradient left from before is overwritten.
    const Function shifted = [&](const Variable& in) { return add(in, net.bias); };
    const Function constant = [&](const Variable&) { return net.bias.variable(); };
    for (const auto& [f, expected] : {std::pair{shifted, ops::sum_of_squares(v).item()}, std::pair{constant, 0.0}}) {
      ops::fill(net.store.gradients(), 9);
      CHECK(close(jacobian_vector_norm(f, x, v), expected, 1e-14));
      for (int i = 0; i < net.store.size(); ++i) CHECK(ops::sum_of_squares(net.store[i].gradient()).item() == 0);
    }
  }

  TEST_CASE("transforms of functions of x leave the gradients of parameters alone") {
    Net net(2);
    const Tensor x = normal_input({1, 5}, "x"), v = normal_input({1, 5}, "v"), u = normal_input({1, 2}, "u");
    ops::fill(net.store.gradients(), 9);
    const Tensor before = net.store.gradients().clone();
    const Function checkpointed = [&](const Variable& in) { return checkpoint(net.function(), in); };
    CHECK(identical(jacobian(checkpointed, x, {.mode = JacobianMode::reverse}),
                    jacobian(net.function(), x, {.mode = JacobianMode::reverse})));
    vjp(net.function(), x, u);
    hessian_vector([&](const Variable& in) { return mean(square(net.forward(in))); }, x, v);
    CHECK(identical(net.store.gradients(), before));
  }

  TEST_CASE("checkpoint: equal to plain bit for bit, value, d_x and parameter gradients") {
    for (const DType dtype : {DType::f32, DType::f64}) {
      Net net(3, dtype);
      StepState state;
      state.set(5, 0);
      const Tensor x = normal_input({4, 5}, "x", dtype);
      struct Result {
        Tensor value, d_x, parameters;
      };
      const auto run = [&](bool checkpointed, bool leaf, bool accumulate) {
        const Function segment = [&](const Variable& h) {
          return net.layer(dropout(net.layer(h, net.first, 0), 0.3, {1, 2}, state.tensor()), net.second, 1);
        };
        Tape tape;
        const Variable in = leaf ? tape.leaf(x) : Variable(x);
        const Variable h = checkpointed ? checkpoint(segment, in) : segment(in);
        // The first weight is used within the segment and outside.
        const Variable y = linear(net.layer(h, net.first, 1), net.last, {});
        tape.backward(y, normal_input({4, 3}, "d_y", dtype), accumulate);
        return Result{y.value(), leaf ? tape.gradient(in) : Tensor(), net.store.gradients().clone()};
      };
      for (const bool leaf : {true, false}) {
        for (const bool accumulate : {false, true}) {
          INFO(name(dtype) << ", leaf " << leaf << ", accumulate " << accumulate);
          ops::fill(net.store.gradients(), 0.5);
          const Result plain = run(false, leaf, accumulate);
          ops::fill(net.store.gradients(), 0.5);
          const Result again = run(true, leaf, accumulate);
          CHECK(identical(again.value, plain.value));
          if (leaf) CHECK(identical(again.d_x, plain.d_x));
          CHECK(identical(again.parameters, plain.parameters));
        }
      }
    }
  }

  TEST_CASE("checkpoint: parameters that only a segment sees are set, a chain keeps one value per segment") {
    Net net;
    const Tensor x = normal_input({4, 5}, "x");
    const Function segment = [&](const Variable& h) { return net.layer(h, net.first, 0); };
    ops::fill(net.store.gradients(), 9);
    std::size_t size = 0;
    {
      Tape tape;
      Variable h = x;
      for (int i = 0; i < 5; ++i) h = checkpoint(segment, h);
      size = tape.size();
      tape.backward(sum(h));
    }
    CHECK(size == 6);  // the input and one per segment
    CHECK(identical(net.second.gradient(), Tensor::zeros({5, 5}, DType::f64)));
    CHECK(ops::sum_of_squares(net.first.gradient()).item() > 0);
  }

  TEST_CASE("checkpoint: with tangents it is the function itself, so that second derivatives work") {
    Net net;
    const Tensor x = normal_input({2, 5}, "x"), v = normal_input({2, 5}, "v");
    const auto loss = [&](bool checkpointed) -> Function {
      return [&net, checkpointed](const Variable& in) {
        return mean(square(checkpointed ? checkpoint(net.function(), in) : net.forward(in)));
      };
    };
    const GradientAndProduct plain = hessian_vector(loss(false), x, v), again = hessian_vector(loss(true), x, v);
    CHECK(identical(again.gradient, plain.gradient));
    CHECK(identical(again.product, plain.product));
    CHECK(identical(jacobian(loss(true), x), jacobian(loss(false), x)));
  }

  TEST_CASE("checkpoint: a recorded variable taken into the function by the back door is refused") {
    Tape tape;
    const Variable x = tape.leaf(normal_input({2}, "x")), z = tape.leaf(normal_input({2}, "z"));
    const Variable y = sum(checkpoint([&](const Variable& h) { return multiply(h, z); }, x));
    CHECK(mentions(message_of(ErrorCode::value, [&] { tape.backward(y); }), {"checkpoint", "another tape"}));
  }
}
