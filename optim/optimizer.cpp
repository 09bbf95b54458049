#include "optim/optimizer.h"

#include <cmath>

#include "core/error.h"
#include "core/ops.h"
#include "optim/rules.h"

namespace rz::optim {

namespace {

constexpr struct {
  std::string_view name;
  decltype(&make_sgd) make;
} makers[] = {{"sgd", make_sgd},    {"adagrad", make_adagrad}, {"rmsprop", make_rmsprop}, {"adam", make_adam},
              {"adamw", make_adam}, {"lamb", make_lamb},       {"lion", make_lion},       {"muon", make_muon}};

}  // namespace

std::unique_ptr<Optimizer> Optimizer::create(const OptimizerOptions& options) {
  const OptimizerOptions all = resolved(options);
  for (const auto& row : makers)
    if (row.name == all.name) return row.make(all);
  RZ_FAIL(internal, "optimizer: nothing makes the rule {}", all.name);
}

double Optimizer::weight_decay(Role role) const {
  const bool decayed = role == Role::weight || role == Role::embedding;
  return options_.role(role).weight_decay.value_or(decayed ? *options_.weight_decay : 0);
}

void Optimizer::prepare(ParameterStore& store) const {
  for (const std::string_view slot : slots()) store.slot(slot);
}

void Optimizer::step(ParameterStore& store, const StepState& state) const {
  prepare(store);  // in this order, whatever the order in which a rule asks for its slots
  ops::clip_scale(ops::sum_of_squares(store.gradients()), options_.clip_norm, state.tensor());
  UpdateOptions constants;
  constants.momentum = options_.momentum.value_or(0);
  constants.nesterov = options_.nesterov.value_or(false);
  constants.beta1 = options_.beta1.value_or(0);
  constants.beta2 = options_.alpha.value_or(options_.beta2.value_or(0));
  constants.bias_correction = options_.bias_correction.value_or(true);
  store.each_range(options_.layers.prefix, [&](const ParameterStore::Range& range) {
    constants.rate_factor = rate_factor(range.role) * (range.matches ? options_.layers.rate_factor : 1);
    constants.weight_decay = weight_decay(range.role);
    constants.eps = options_.eps.value_or(0) * (range.matches ? options_.layers.eps_factor : 1);
    update(store, range, constants, state.tensor());
  });
}

std::string first_nonfinite_gradient(ParameterStore& store) {
  for (int i = 0; i < store.size(); ++i)
    if (!std::isfinite(ops::sum_of_squares(store[i].gradient()).item())) return store[i].name();
  return "";
}

}  // namespace rz::optim
