#include "optim/optimizer.h"

#include <cmath>

#include "core/error.h"
#include "core/nearest.h"
#include "core/ops.h"
#include "optim/rules.h"

namespace rz::optim {

namespace {

constexpr std::string_view rule_names[] = {"sgd", "adagrad"};
constexpr decltype(&make_sgd) rules[] = {make_sgd, make_adagrad};

void check_not_negative(const std::string& what, double value) {
  RZ_CHECK(value, std::isfinite(value) && value >= 0, "optimizer: {} is {}, but must be a number of at least 0", what,
           value);
}

void check(const OptimizerOptions& options) {
  check_not_negative("learning_rate", options.learning_rate);
  check_not_negative("weight_decay", options.weight_decay);
  check_not_negative("momentum", options.momentum);
  check_not_negative("eps", options.eps);
  check_not_negative("clip_norm", options.clip_norm);
  RZ_CHECK(value, !options.nesterov || options.momentum > 0,
           "optimizer: nesterov is on and momentum is {}, but Nesterov's step needs a momentum (0.9 is usual)",
           options.momentum);
  for (const Role role : all_roles) {
    const std::string of_role = " of role " + std::string(name(role));
    check_not_negative("rate_factor" + of_role, options.role(role).rate_factor);
    check_not_negative("weight_decay" + of_role, options.role(role).weight_decay.value_or(0));
  }
}

}  // namespace

std::span<const std::string_view> optimizer_names() { return rule_names; }

std::unique_ptr<Optimizer> Optimizer::create(const OptimizerOptions& options) {
  std::string known;
  for (std::size_t k = 0; k < std::size(rules); ++k) {
    if (options.name == rule_names[k]) {
      check(options);
      return rules[k](options);
    }
    known += (k ? ", " : "") + std::string(rule_names[k]);
  }
  const std::string close = nearest(options.name, rule_names);
  RZ_FAIL(value, "optimizer: '{}' is not known{}; there are {}", options.name,
          close.empty() ? "" : " (did you mean '" + close + "'?)", known);
}

double Optimizer::weight_decay(Role role) const {
  const bool decayed = role == Role::weight || role == Role::embedding;
  return options_.role(role).weight_decay.value_or(decayed ? options_.weight_decay : 0);
}

void Optimizer::prepare(ParameterStore& store) const {
  for (const std::string_view slot : slots()) store.slot(slot);
}

void Optimizer::step(ParameterStore& store, const StepState& state) const {
  ops::clip_scale(ops::sum_of_squares(store.gradients()), options_.clip_norm, state.tensor());
  for (const Role role : all_roles) {
    if (!store.values(role).defined()) continue;
    UpdateOptions constants;
    constants.rate_factor = rate_factor(role);
    constants.weight_decay = weight_decay(role);
    constants.momentum = options_.momentum;
    constants.nesterov = options_.nesterov;
    constants.eps = options_.eps;
    update(store, role, constants, state.tensor());
  }
}

std::string first_nonfinite_gradient(ParameterStore& store) {
  for (int i = 0; i < store.size(); ++i)
    if (!std::isfinite(ops::sum_of_squares(store[i].gradient()).item())) return store[i].name();
  return "";
}

}  // namespace rz::optim
