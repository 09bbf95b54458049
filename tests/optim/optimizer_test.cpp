#include "optim/optimizer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/ops.h"
#include "support/close.h"
#include "support/guarded_device.h"
#include "support/inputs.h"
#include "support/trajectory.h"

using namespace rz;
using namespace rz::optim;
using namespace rz::test;

namespace {

std::string error_of(OptimizerOptions options) {
  return message_of(ErrorCode::value, [&] { Optimizer::create(options); });
}

}  // namespace

TEST_SUITE("optim/optimizer") {
  TEST_CASE("optimizer: 20 steps of every rule are those of the papers") {
    for (const auto& [rule, expected] : trajectory_file()["rules"].items()) {
      const auto optimizer = Optimizer::create(trajectory_options(expected));
      for (const DType dtype : {DType::f64, DType::f32}) {
        INFO(rule << " in " << name(dtype));
        TrajectoryParameters p(dtype);
        CHECK(close(trajectory(*optimizer, p, 0, 20), numbers(expected["steps"]), dtype == DType::f64 ? 1e-11 : 1e-6));
        for (const std::string& slot : p.store.slot_names())
          CHECK(std::isfinite(ops::sum_of_squares(p.store.slot(slot)).item()));
      }
    }
  }

  TEST_CASE("optimizer: a device whose memory the host cannot touch gives the same bits") {
    for (const auto& [rule, expected] : trajectory_file()["rules"].items()) {
      INFO(rule);
      OptimizerOptions options = trajectory_options(expected);
      options.clip_norm = 2;
      const auto optimizer = Optimizer::create(options);
      TrajectoryParameters host(DType::f32), device(DType::f32, use_guarded_device());
      CHECK(trajectory(*optimizer, host, 0, 5) == trajectory(*optimizer, device, 0, 5));
    }
  }

  TEST_CASE("optimizer: all state is in the slots: taken out and put into a new store, the run goes on bit for bit") {
    for (const auto& [rule, expected] : trajectory_file()["rules"].items()) {
      INFO(rule);
      const auto optimizer = Optimizer::create(trajectory_options(expected));
      TrajectoryParameters first, second;
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
    TrajectoryParameters p;
    std::vector<double> expected = p.values(), g = trajectory_gradients(1);
    p.for_each([&](const Parameter& parameter, std::size_t first, std::size_t n) {
      const double decay = parameter.role() == Role::residual_weight ? 0.25 : 0;
      const double factor = decay > 0 ? 3 : parameter.role() == Role::bias ? 0 : 1;
      for (std::size_t i = first; i < first + n; ++i) expected[i] -= factor * 0.1 * (g[i] + decay * expected[i]);
    });
    p.set_gradients(g);
    StepState state;
    state.set(1, 0.1);
    Optimizer::create(options)->step(p.store, state);
    CHECK(close(p.values(), expected, 1e-15));
  }

  TEST_CASE("optimizer: factors of 1 for a prefix change no bit; others are those of a rule with that rate and eps") {
    int rules = 0;
    for (const auto& [rule, expected] : trajectory_file()["rules"].items()) {
      const OptimizerOptions plain = resolved(trajectory_options(expected));
      if (!plain.eps) continue;
      ++rules;
      INFO(rule);
      for (const TrajectoryParameters names; const Parameter& chosen : names.list) {
        OptimizerOptions with = plain, alone = plain;
        with.layers = {chosen.name(), 1, 1};
        TrajectoryParameters p, q;
        CHECK(trajectory(*Optimizer::create(plain), p, 0, 5) == trajectory(*Optimizer::create(with), q, 0, 5));
        with.layers = {chosen.name(), 0.5, 0.25};  // powers of 2: no rounding
        alone.learning_rate = *plain.learning_rate * 0.5;
        if (alone.fallback_learning_rate) *alone.fallback_learning_rate *= 0.5;
        *alone.eps *= 0.25;
        TrajectoryParameters scaled, slow;
        trajectory(*Optimizer::create(with), scaled, 0, 5);
        trajectory(*Optimizer::create(alone), slow, 0, 5);
        for (std::size_t k = 0; k < p.list.size(); ++k) {
          const bool in = p.list[k].name().starts_with(chosen.name());
          CHECK(identical(scaled.list[k].value(), (in ? slow : p).list[k].value()));
        }
      }
    }
    CHECK(rules >= 6);
  }

  TEST_CASE("optimizer: clipping by the global norm, which is computed always") {
    const std::vector<double> g = trajectory_gradients(1);
    double norm = 0;
    for (const double v : g) norm += v * v;
    norm = std::sqrt(norm);
    for (const double clip : {0.0, 0.5, 2 * norm}) {
      INFO("clip_norm " << clip);
      OptimizerOptions options;
      options.name = "sgd";
      options.clip_norm = clip;
      TrajectoryParameters p;
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
    TrajectoryParameters p(DType::f32);
    std::vector<double> g(p.values().size());
    g[0] = 3e30;
    g[1] = 4e30;
    p.set_gradients(g);
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
      for (const auto& [rule, expected] : trajectory_file()["rules"].items()) {
        INFO(rule << " with " << bad);
        const auto optimizer = Optimizer::create(trajectory_options(expected));
        TrajectoryParameters p(DType::f32);
        trajectory(*optimizer, p, 0, 3);
        std::vector<Tensor> kept{p.store.values()};
        for (const std::string& slot : p.store.slot_names()) kept.push_back(p.store.slot(slot));
        std::vector<Tensor> before;
        for (const Tensor& t : kept) before.push_back(t.clone());
        std::vector<double> g = trajectory_gradients(3);
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

  TEST_CASE("optimizer: wrong options are refused by name") {
    CHECK(mentions(error_of({.name = "adagard"}), {"'adagard' is not known", "did you mean 'adagrad'?", "sgd"}));
    CHECK(mentions(error_of({.name = "lbfgs"}),
                   {"'lbfgs' is not known;", "sgd, adagrad, rmsprop, adam, adamw, lamb, lion, muon"}));
    CHECK(mentions(error_of({.learning_rate = -1}), {"learning_rate is -1"}));
    CHECK(mentions(error_of({.learning_rate = NAN}), {"learning_rate is nan"}));
    CHECK(mentions(error_of({.weight_decay = -1e-4}), {"weight_decay is -0.0001"}));
    CHECK(mentions(error_of({.eps = -1}), {"eps is -1"}));
    CHECK(mentions(error_of({.clip_norm = -1}), {"clip_norm is -1"}));
    CHECK(mentions(error_of({.name = "sgd", .momentum = -0.5}), {"momentum is -0.5"}));
    for (const char* rule : {"sgd", "rmsprop", "muon"})
      CHECK(mentions(error_of({.name = rule, .momentum = 1}), {"momentum is 1, but must lie in [0, 1)"}));
    CHECK(mentions(error_of({.name = "sgd", .nesterov = true}), {"nesterov", "momentum is 0"}));
    OptimizerOptions options;
    options.role(Role::norm).rate_factor = -2;
    CHECK(mentions(error_of(options), {"rate_factor of role norm is -2"}));
    options = {};
    options.role(Role::bias).weight_decay = INFINITY;
    CHECK(mentions(error_of(options), {"weight_decay of role bias is inf"}));
    CHECK(mentions(error_of({.name = "adam", .beta1 = 1}), {"beta1 is 1", "[0, 1)"}));
    CHECK(mentions(error_of({.name = "lion", .beta2 = -0.1}), {"beta2 is -0.1"}));
    CHECK(mentions(error_of({.name = "rmsprop", .alpha = 1.5}), {"alpha is 1.5", "[0, 1)"}));
    CHECK(mentions(error_of({.name = "muon", .momentum = 0}), {"nesterov", "momentum is 0"}));
  }

  TEST_CASE("optimizer: what is left out takes the rule's default, what the rule does not use is refused") {
    const OptimizerOptions adam = Optimizer::create({.name = "adam", .beta2 = 0.5})->options();
    CHECK(*adam.learning_rate == 1e-3);
    CHECK(*adam.beta1 == 0.9);
    CHECK(*adam.beta2 == 0.5);
    CHECK(*adam.eps == 1e-8);
    CHECK(!adam.momentum);
    CHECK(mentions(error_of({.name = "adam", .momentum = 0.9}),
                   {"optimizer.momentum belongs to sgd, rmsprop and muon, but optimizer.name is adam"}));
    CHECK(mentions(error_of({.nesterov = false}),
                   {"optimizer.nesterov belongs to sgd and muon, but optimizer.name is adagrad"}));
    CHECK(mentions(error_of({.name = "adamw", .bias_correction = true}), {"bias_correction belongs to lamb, but"}));
    OptimizerOptions options{.name = "adam"};
    options.role(Role::bias).trust_ratio = false;
    CHECK(mentions(error_of(options), {"optimizer.bias.trust_ratio belongs to lamb, but optimizer.name is adam"}));
    const auto muon = Optimizer::create({.name = "muon", .learning_rate = 0.02, .fallback_learning_rate = 0.001});
    CHECK(muon->rate_factor(Role::weight) == 1);
    CHECK(close(muon->rate_factor(Role::residual_weight), 0.05, 1e-15));  // so that logged rates are those used
    const auto lamb = Optimizer::create({.name = "lamb"});
    for (const Role role : all_roles)
      CHECK(*lamb->options().role(role).trust_ratio == (role == Role::weight || role == Role::embedding));
    for (const OptimizerOptions& rule : optimizer_rules()) {
      const OptimizerOptions all = resolved({.name = rule.name});
      for (const RealKey& key : real_keys()) CHECK((all.*key.member == rule.*key.member));
      CHECK(*all.learning_rate > 0);
    }
    CHECK(std::ranges::equal(optimizer_names(), std::vector<std::string_view>{"sgd", "adagrad", "rmsprop", "adam",
                                                                              "adamw", "lamb", "lion", "muon"}));
  }
}
