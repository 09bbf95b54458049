// The first steps of every rule, from gates of 0 and at extreme gradients.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/ops.h"
#include "optim/optimizer.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::optim;
using namespace rz::test;

namespace {

constexpr int depth = 3, width = 5;
constexpr double rate = 0.01;

// Layers x + a relu(W x), all gates 0.
struct ToyReZero {
  ParameterStore store;
  std::vector<Parameter> weights;
  Parameter gates;

  explicit ToyReZero(DType dtype) {
    const Initializer normal = [](std::span<double> values, Random& random) {
      for (double& v : values) v = 0.5 * random.normal();
    };
    for (int i = 0; i < depth; ++i)
      weights.push_back(store.declare("weight" + std::to_string(i), {width, width}, Role::weight, normal));
    gates = store.declare("gates", {depth}, Role::residual_weight, [](std::span<double>, Random&) {});
    store.build(3, dtype);
  }

  void backward() {
    const Tensor x = normal_input({7, width}, "x", store.dtype());
    const Tensor labels = Tensor::of_integers({7}, std::vector<std::int64_t>{0, 1, 2, 3, 4, 0, 1});
    Tape tape;
    Variable h = x;
    for (int i = 0; i < depth; ++i)
      h = residual_add(h, linear(h, weights[static_cast<std::size_t>(i)], {}, ScalarFunction::relu), gates, i);
    tape.backward(softmax_cross_entropy(h, labels));
  }
};

// Without decay, which would move the weights in step 1.
OptimizerOptions options_of(const std::string& rule, std::optional<double> eps) {
  OptimizerOptions options{.name = rule, .learning_rate = rate, .weight_decay = 0};
  const auto row = std::ranges::find(optimizer_rules(), rule, &OptimizerOptions::name);
  if (row->eps) options.eps = eps;
  if (row->fallback_learning_rate) options.fallback_learning_rate = rate;
  return options;
}

// |change| of every number with a gradient, sorted.
std::vector<double> moves(const Tensor& before, const Tensor& after, const Tensor& gradient) {
  const std::vector<double> a = before.to_vector(), b = after.to_vector(), g = gradient.to_vector();
  std::vector<double> all;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (g[i] != 0) all.push_back(std::fabs(b[i] - a[i]));
  std::ranges::sort(all);
  return all;
}

struct Moves {
  std::vector<double> gates_1, weights_2;  // of the gates in step 1, of the weights in step 2
};
Moves first_moves(const std::string& rule) {
  ToyReZero toy(DType::f64);
  const auto optimizer = Optimizer::create(options_of(rule, {}));
  StepState state;
  Moves result;
  for (int t = 1; t <= 2; ++t) {
    toy.backward();
    const Tensor weights = toy.store.values(Role::weight).clone(), gates = toy.gates.value().clone();
    state.set(t, rate);
    optimizer->step(toy.store, state);
    if (t == 1) result.gates_1 = moves(gates, toy.gates.value(), toy.gates.gradient());
    if (t == 2) result.weights_2 = moves(weights, toy.store.values(Role::weight), toy.store.gradients(Role::weight));
  }
  return result;
}

// All of them are `expected` rates.
void check_all(const std::vector<double>& moved, double expected, double tolerance) {
  REQUIRE(!moved.empty());
  CHECK(close(moved.front() / rate, expected, tolerance));
  CHECK(close(moved.back() / rate, expected, tolerance));
}

}  // namespace

TEST_SUITE("optim/first_steps") {
  TEST_CASE("from gates of 0 only the gates move in step 1, everything from step 2 on; eps = 0 gives no NaN") {
    for (const std::string_view name : optimizer_names()) {
      const std::string rule(name);
      INFO(rule);
      ToyReZero toy(DType::f32);
      const auto optimizer = Optimizer::create(options_of(rule, 0.0));
      StepState state;
      for (int t = 1; t <= 3; ++t) {
        INFO("step " << t);
        const Tensor w_before = toy.store.values(Role::weight).clone(), g_before = toy.gates.value().clone();
        toy.backward();
        CHECK((ops::sum_of_squares(toy.store.gradients(Role::weight)).item() == 0) == (t == 1));
        for (const double d_gate : toy.gates.gradient().to_vector()) CHECK(d_gate != 0);
        state.set(t, rate);
        optimizer->step(toy.store, state);
        CHECK(identical(toy.store.values(Role::weight), w_before).holds == (t == 1));
        CHECK_FALSE(identical(toy.gates.value(), g_before).holds);
        CHECK(std::isfinite(ops::sum_of_squares(toy.store.values()).item()));
      }
    }
  }

  TEST_CASE("how far gates go in step 1 and weights in step 2, in rates") {
    check_all(first_moves("adagrad").gates_1, 1, 1e-6);
    check_all(first_moves("adagrad").weights_2, 1, 1e-4);
    check_all(first_moves("rmsprop").gates_1, 10, 1e-4);
    for (const char* rule : {"adam", "adamw"}) {
      const Moves m = first_moves(rule);
      check_all(m.gates_1, 1, 1e-4);
      CHECK(close(m.weights_2.back() / rate, 0.1 / 0.19 / std::sqrt(0.001 / 0.001999), 1e-3));  // 0.744
    }
    check_all(first_moves("lion").gates_1, 1, 1e-12);
    check_all(first_moves("lion").weights_2, 1, 1e-12);
    check_all(first_moves("lamb").gates_1, 1, 1e-3);  // as without a trust ratio
    check_all(first_moves("muon").gates_1, 1, 1e-4);  // AdamW's
  }

  TEST_CASE("lamb: under a trust ratio a gate of 0 moves once by the rate and then by its own size") {
    OptimizerOptions options = options_of("lamb", {});
    options.role(Role::residual_weight).trust_ratio = true;
    ParameterStore store;
    const Parameter gate = store.declare("gate", {1}, Role::residual_weight, [](std::span<double>, Random&) {});
    store.build(1, DType::f64);
    const auto optimizer = Optimizer::create(options);
    StepState state;
    double before = 0;
    for (int t = 1; t <= 3; ++t) {
      gate.gradient().copy_from(Tensor::full({1}, -1, DType::f64));
      state.set(t, rate);
      optimizer->step(store, state);
      const double now = gate.value().item();
      CHECK(close(now - before, t == 1 ? rate : rate * before, 1e-8));
      before = now;
    }
  }

  TEST_CASE("100 gradients of 1e20 in f32, clipped to norm 1: every step is finite and of its usual size") {
    for (const std::string_view name : optimizer_names()) {
      const std::string rule(name);
      INFO(rule);
      ParameterStore store;
      const Parameter p = store.declare("p", {10, 10}, Role::weight,
                                        [](std::span<double> values, Random&) { std::ranges::fill(values, 1.0); });
      store.build(1, DType::f32);
      OptimizerOptions options = options_of(rule, {});
      options.clip_norm = 1;
      const auto optimizer = Optimizer::create(options);
      ops::fill(p.gradient(), 1e20);
      StepState state;
      state.set(1, rate);
      optimizer->step(store, state);
      CHECK(close(state.get(state_gradient_norm) / 1e21, 1, 1e-6));
      // Muon: the one singular value is brought to between 0.7 and 1.2, spread over 10 x 10.
      const double wanted = rule == "sgd" ? 0.1 : rule == "rmsprop" ? 10 : rule == "muon" ? 0.1 : 1;
      for (const double v : p.value().to_vector()) CHECK(close((1 - v) / rate, wanted, rule == "muon" ? 0.04 : 1e-4));
    }
  }

  TEST_CASE("muon: the step of a matrix has singular values near the rate, for every shape") {
    for (const Shape& shape : {Shape{6, 6}, Shape{4, 9}, Shape{9, 4}, Shape{1, 5}, Shape{5, 1}}) {
      INFO(shape[0] << " x " << shape[1]);
      ParameterStore store;
      const Parameter p = store.declare("p", shape, Role::weight, [](std::span<double>, Random&) {});
      store.build(1, DType::f64);
      p.gradient().copy_from(normal_input(shape, "g"));
      StepState state;
      state.set(1, 1);
      Optimizer::create({.name = "muon", .learning_rate = 1})->step(store, state);
      const double rank = static_cast<double>(std::min(shape[0], shape[1]));
      const double scale = std::max(1.0, static_cast<double>(shape[0]) / static_cast<double>(shape[1]));
      const double mean_square = ops::sum_of_squares(p.value()).item() / rank / scale;
      CHECK(mean_square > 0.4);
      CHECK(mean_square < 1.4);
    }
  }
}
