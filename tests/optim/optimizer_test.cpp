#include "optim/optimizer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/ops.h"
#include "support/close.h"
#include "support/guarded_device.h"
#include "support/inputs.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::optim;
using namespace rz::test;

namespace {

// The parameters of trajectories.py, with its start values unless others are given.
struct Parameters {
  ParameterStore store;
  std::vector<Parameter> list;

  explicit Parameters(DType dtype = DType::f64, Device device = {}) {
    const std::vector<double> start = numbers(reference(file)["start"]);
    std::size_t at = 0;
    const auto declare = [&](const char* name, const Shape& shape, Role role) {
      const std::size_t first = at;
      at += static_cast<std::size_t>(shape.elements());
      list.push_back(store.declare(name, shape, role, [&start, first](std::span<double> values, Random&) {
        std::copy_n(start.begin() + static_cast<std::ptrdiff_t>(first), values.size(), values.begin());
      }));
    };
    declare("weight", {3, 2}, Role::weight);
    declare("bias", {2}, Role::bias);
    declare("gate", {1}, Role::residual_weight);
    declare("norm", {0}, Role::norm);
    store.build(0, dtype, device);
  }

  void set_gradients(const std::vector<double>& row) {
    std::size_t at = 0;
    for (const Parameter& p : list) {
      const std::size_t n = static_cast<std::size_t>(p.shape().elements());
      p.gradient().copy_from(Tensor::of(p.shape(), std::span(row).subspan(at, n)));
      at += n;
    }
  }

  std::vector<double> values() const {
    std::vector<double> all;
    for (const Parameter& p : list)
      for (const double v : p.value().to_vector()) all.push_back(v);
    return all;
  }

  static constexpr const char* file = "../optim/reference/trajectories.json";
};

OptimizerOptions options_of(const std::string& rule, const nlohmann::json& given) {
  OptimizerOptions options;
  options.name = rule.substr(0, rule.find('_'));
  options.learning_rate = given["lr"];
  options.weight_decay = given.value("weight_decay", 0.0);
  options.momentum = given.value("momentum", 0.0);
  options.nesterov = given.value("nesterov", false);
  options.eps = given.value("eps", options.eps);
  return options;
}

std::vector<double> gradients(std::size_t step) { return numbers(reference(Parameters::file)["gradients"][step]); }

// Values after each step, the steps run under the rules of a Step.
std::vector<double> trajectory(const Optimizer& optimizer, Parameters& p, std::size_t first, std::size_t last) {
  StepState state(p.store.device());
  Step step;
  std::vector<double> all;
  for (std::size_t t = first; t < last; ++t) {
    p.set_gradients(gradients(t));
    state.set(static_cast<std::int64_t>(t) + 1, optimizer.options().learning_rate);
    step.run([&] { optimizer.step(p.store, state); });
    for (const double v : p.values()) all.push_back(v);
  }
  return all;
}

std::string error_of(OptimizerOptions options) {
  return message_of(ErrorCode::value, [&] { Optimizer::create(options); });
}

}  // namespace

TEST_SUITE("optim/optimizer") {
  TEST_CASE("optimizer: 20 steps of every rule are PyTorch's") {
    for (const auto& [rule, expected] : reference(Parameters::file)["rules"].items()) {
      const auto optimizer = Optimizer::create(options_of(rule, expected["options"]));
      for (const DType dtype : {DType::f64, DType::f32}) {
        INFO(rule << " in " << name(dtype));
        Parameters p(dtype);
        CHECK(close(trajectory(*optimizer, p, 0, 20), numbers(expected["steps"]), dtype == DType::f64 ? 1e-11 : 1e-6));
      }
    }
  }

  TEST_CASE("optimizer: a device whose memory the host cannot touch gives the same bits") {
    for (const auto& [rule, expected] : reference(Parameters::file)["rules"].items()) {
      INFO(rule);
      OptimizerOptions options = options_of(rule, expected["options"]);
      options.clip_norm = 2;
      const auto optimizer = Optimizer::create(options);
      Parameters host(DType::f32), device(DType::f32, use_guarded_device());
      CHECK(trajectory(*optimizer, host, 0, 5) == trajectory(*optimizer, device, 0, 5));
    }
  }

  TEST_CASE("optimizer: all state is in the slots: taken out and put into a new store, the run goes on bit for bit") {
    for (const auto& [rule, expected] : reference(Parameters::file)["rules"].items()) {
      INFO(rule);
      const auto optimizer = Optimizer::create(options_of(rule, expected["options"]));
      Parameters first, second;
      trajectory(*optimizer, first, 0, 7);
      optimizer->prepare(second.store);
      CHECK(second.store.slot_names() == first.store.slot_names());
      CHECK(first.store.slot_names().empty() == (rule == "sgd" || rule == "sgd_decay"));
      for (const std::string& slot : first.store.slot_names())
        second.store.slot(slot).copy_from(first.store.slot(slot));
      second.store.values().copy_from(first.store.values());
      CHECK(trajectory(*optimizer, first, 7, 20) == trajectory(*optimizer, second, 7, 20));
    }
  }

  TEST_CASE("optimizer: rate and decay by role; biases, norms and residual weights are not decayed by default") {
    OptimizerOptions options;
    options.name = "sgd";
    options.weight_decay = 0.5;
    for (const Role role : all_roles) {
      const bool decayed = role == Role::weight || role == Role::embedding;
      CHECK(Optimizer::create(options)->weight_decay(role) == (decayed ? 0.5 : 0.0));
    }
    options.role(Role::residual_weight) = {.rate_factor = 3, .weight_decay = 0.25};
    options.role(Role::weight).weight_decay = 0;
    options.role(Role::bias).rate_factor = 0;
    Parameters p;
    std::vector<double> expected = p.values(), g = gradients(1);
    for (std::size_t i = 0; i < 6; ++i) expected[i] -= 0.1 * g[i];
    expected[8] -= 3 * 0.1 * (g[8] + 0.25 * expected[8]);
    p.set_gradients(g);
    StepState state;
    state.set(1, 0.1);
    Optimizer::create(options)->step(p.store, state);
    CHECK(close(p.values(), expected, 1e-15));
  }

  TEST_CASE("optimizer: clipping by the global norm, which is computed always") {
    const std::vector<double> g = gradients(1);
    double norm = 0;
    for (const double v : g) norm += v * v;
    norm = std::sqrt(norm);
    for (const double clip : {0.0, 0.5, 2 * norm}) {
      INFO("clip_norm " << clip);
      OptimizerOptions options;
      options.name = "sgd";
      options.clip_norm = clip;
      Parameters p;
      std::vector<double> expected = p.values();
      for (std::size_t i = 0; i < g.size(); ++i) expected[i] -= g[i] * (clip == 0.5 ? clip / norm : 1);
      p.set_gradients(g);
      StepState state;
      state.set(1, 1);
      Optimizer::create(options)->step(p.store, state);
      CHECK(close(p.values(), expected, 1e-14));
      CHECK(close(state.get(state_gradient_norm), norm, 1e-14));
    }
  }

  TEST_CASE("optimizer: the norm is taken in f64") {
    Parameters p(DType::f32);
    p.set_gradients({3e30, 4e30, 0, 0, 0, 0, 0, 0, 0});
    OptimizerOptions options;
    options.name = "sgd";
    options.clip_norm = 1;
    StepState state;
    state.set(1, 1);
    const double before = p.values()[0];
    Optimizer::create(options)->step(p.store, state);
    CHECK(close(state.get(state_gradient_norm) / 5e30, 1, 1e-7));
    CHECK(close(p.values()[0], before - 0.6, 1e-6));
  }

  TEST_CASE("optimizer: a gradient that is not finite changes nothing, and its parameter is named") {
    for (const double bad : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
      for (const auto& [rule, expected] : reference(Parameters::file)["rules"].items()) {
        INFO(rule << " with " << bad);
        const auto optimizer = Optimizer::create(options_of(rule, expected["options"]));
        Parameters p(DType::f32);
        trajectory(*optimizer, p, 0, 3);
        std::vector<Tensor> kept{p.store.values()};
        for (const std::string& slot : p.store.slot_names()) kept.push_back(p.store.slot(slot));
        std::vector<Tensor> before;
        for (const Tensor& t : kept) before.push_back(t.clone());
        std::vector<double> g = gradients(3);
        CHECK(first_nonfinite_gradient(p.store) == "");
        g[8] = bad;
        p.set_gradients(g);
        StepState state;
        state.set(4, 0.1);
        optimizer->step(p.store, state);
        for (std::size_t i = 0; i < kept.size(); ++i) CHECK(identical(kept[i], before[i]));
        CHECK(!std::isfinite(state.get(state_gradient_norm)));
        CHECK(first_nonfinite_gradient(p.store) == "gate");
      }
    }
  }

  TEST_CASE(
      "optimizer: from gates of 0 only the gates move in step 1, everything from step 2 on; eps = 0 gives no NaN") {
    constexpr int depth = 3, width = 5;
    for (const std::string rule : {"sgd", "adagrad"}) {
      INFO(rule);
      ParameterStore store;
      std::vector<Parameter> weights;
      const Initializer normal = [](std::span<double> values, Random& random) {
        for (double& v : values) v = 0.5 * random.normal();
      };
      for (int i = 0; i < depth; ++i)
        weights.push_back(store.declare("weight" + std::to_string(i), {width, width}, Role::weight, normal));
      const Parameter gates = store.declare("gates", {depth}, Role::residual_weight, [](std::span<double>, Random&) {});
      store.build(3, DType::f32);
      OptimizerOptions options;
      options.name = rule;
      options.eps = 0;
      const auto optimizer = Optimizer::create(options);
      StepState state;
      const Tensor x = normal_input({7, width}, "x", DType::f32);
      const Tensor labels = Tensor::of_integers({7}, std::vector<std::int64_t>{0, 1, 2, 3, 4, 0, 1});
      const Tensor start = store.values(Role::weight).clone();
      for (int t = 1; t <= 3; ++t) {
        INFO("step " << t);
        const Tensor w_before = store.values(Role::weight).clone(), g_before = gates.value().clone();
        Tape tape;
        Variable h = x;
        for (int i = 0; i < depth; ++i)
          h = residual_add(h, linear(h, weights[static_cast<std::size_t>(i)], {}, ScalarFunction::relu), gates, i);
        tape.backward(softmax_cross_entropy(h, labels));
        const double d_w = ops::sum_of_squares(store.gradients(Role::weight)).item();
        CHECK((d_w == 0) == (t == 1));
        for (const double d_gate : gates.gradient().to_vector()) CHECK(d_gate != 0);
        state.set(t, 0.1);
        optimizer->step(store, state);
        CHECK(identical(store.values(Role::weight), w_before).holds == (t == 1));
        CHECK_FALSE(identical(gates.value(), g_before).holds);
        CHECK(std::isfinite(ops::sum_of_squares(store.values()).item()));
      }
      CHECK_FALSE(identical(store.values(Role::weight), start).holds);
    }
  }

  TEST_CASE("optimizer: wrong options are refused by name") {
    CHECK(mentions(error_of({.name = "adagard"}), {"'adagard' is not known", "did you mean 'adagrad'?", "sgd"}));
    CHECK(mentions(error_of({.name = "lbfgs"}), {"'lbfgs' is not known;", "sgd, adagrad"}));
    CHECK(mentions(error_of({.learning_rate = -1}), {"learning_rate is -1"}));
    CHECK(mentions(error_of({.learning_rate = NAN}), {"learning_rate is nan"}));
    CHECK(mentions(error_of({.weight_decay = -1e-4}), {"weight_decay is -0.0001"}));
    CHECK(mentions(error_of({.eps = -1}), {"eps is -1"}));
    CHECK(mentions(error_of({.clip_norm = -1}), {"clip_norm is -1"}));
    CHECK(mentions(error_of({.name = "sgd", .momentum = -0.5}), {"momentum is -0.5"}));
    CHECK(mentions(error_of({.name = "sgd", .nesterov = true}), {"nesterov", "momentum is 0"}));
    OptimizerOptions options;
    options.role(Role::norm).rate_factor = -2;
    CHECK(mentions(error_of(options), {"rate_factor of role norm is -2"}));
    options = {};
    options.role(Role::bias).weight_decay = INFINITY;
    CHECK(mentions(error_of(options), {"weight_decay of role bias is inf"}));
    CHECK(std::ranges::equal(optimizer_names(), std::vector<std::string_view>{"sgd", "adagrad"}));
  }
}
