#include "optim/options.h"

#include <cmath>

#include "core/error.h"
#include "core/nearest.h"
#include "optim/resolve_key.h"

namespace rz::optim {

namespace {

// PyTorch's defaults where PyTorch has the rule. LAMB: You et al. 2020; Lion: Chen et al. 2023; Muon: Jordan 2024.
std::vector<OptimizerOptions> make_rules() {
  std::vector<OptimizerOptions> table{
      {.name = "sgd", .learning_rate = 0.01, .weight_decay = 0, .momentum = 0, .nesterov = false},
      {.name = "adagrad", .learning_rate = 0.01, .weight_decay = 0, .eps = 1e-10},
      {.name = "rmsprop", .learning_rate = 0.01, .weight_decay = 0, .momentum = 0, .alpha = 0.99, .eps = 1e-8},
      {.name = "adam", .learning_rate = 1e-3, .weight_decay = 0, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
      {.name = "adamw", .learning_rate = 1e-3, .weight_decay = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
      {.name = "lamb",
       .learning_rate = 1e-3,
       .weight_decay = 0.01,
       .beta1 = 0.9,
       .beta2 = 0.999,
       .eps = 1e-6,
       .bias_correction = true},
      {.name = "lion", .learning_rate = 1e-4, .weight_decay = 0, .beta1 = 0.9, .beta2 = 0.99},
      {.name = "muon",
       .learning_rate = 0.02,
       .weight_decay = 0,
       .momentum = 0.95,
       .nesterov = true,
       .beta1 = 0.9,
       .beta2 = 0.95,
       .eps = 1e-10,
       .fallback_learning_rate = 3e-4},
  };
  for (OptimizerOptions& rule : table)
    if (rule.name == "lamb")
      for (const Role role : all_roles) rule.role(role).trust_ratio = role == Role::weight || role == Role::embedding;
  return table;
}

const std::vector<OptimizerOptions>& rules() {
  static const std::vector<OptimizerOptions> table = make_rules();
  return table;
}

const OptimizerOptions& rule_named(const std::string& name) {
  for (const OptimizerOptions& rule : rules())
    if (rule.name == name) return rule;
  RZ_FAIL(value, "optimizer: {}", unknown_name(name, optimizer_names()));
}

void check_not_negative(const std::string& what, double value) {
  RZ_CHECK(value, std::isfinite(value) && value >= 0, "optimizer: {} is {}, but must be a number of at least 0", what,
           value);
}

void check(const OptimizerOptions& options) {
  for (const RealKey& key : real_keys())
    if (options.*key.member) check_not_negative(std::string(key.name), *(options.*key.member));
  check_not_negative("clip_norm", options.clip_norm);
  for (const RealKey& key :
       {RealKey{"alpha", &OptimizerOptions::alpha}, RealKey{"beta1", &OptimizerOptions::beta1},
        RealKey{"beta2", &OptimizerOptions::beta2}, RealKey{"momentum", &OptimizerOptions::momentum}})
    RZ_CHECK(value, (options.*key.member).value_or(0) < 1, "optimizer: {} is {}, but must lie in [0, 1)", key.name,
             *(options.*key.member));
  RZ_CHECK(value, !options.nesterov.value_or(false) || options.momentum.value_or(0) > 0,
           "optimizer: nesterov is on and momentum is {}, but Nesterov's step needs a momentum (0.9 is usual)",
           options.momentum.value_or(0));
  check_not_negative("rate_factor of layers", options.layers.rate_factor);
  check_not_negative("eps_factor of layers", options.layers.eps_factor);
  for (const Role role : all_roles) {
    const std::string of_role = " of role " + std::string(name(role));
    check_not_negative("rate_factor" + of_role, options.role(role).rate_factor);
    check_not_negative("weight_decay" + of_role, options.role(role).weight_decay.value_or(0));
  }
}

}  // namespace

std::span<const RealKey> real_keys() {
  using O = OptimizerOptions;
  static constexpr RealKey keys[] = {{"learning_rate", &O::learning_rate},
                                     {"weight_decay", &O::weight_decay},
                                     {"momentum", &O::momentum},
                                     {"alpha", &O::alpha},
                                     {"beta1", &O::beta1},
                                     {"beta2", &O::beta2},
                                     {"eps", &O::eps},
                                     {"fallback_learning_rate", &O::fallback_learning_rate}};
  return keys;
}

std::span<const FlagKey> flag_keys() {
  static constexpr FlagKey keys[] = {{"nesterov", &OptimizerOptions::nesterov},
                                     {"bias_correction", &OptimizerOptions::bias_correction}};
  return keys;
}

std::span<const OptimizerOptions> optimizer_rules() { return rules(); }

std::span<const std::string_view> optimizer_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> list;
    for (const OptimizerOptions& rule : rules()) list.emplace_back(rule.name);
    return list;
  }();
  return names;
}

OptimizerOptions resolved(OptimizerOptions options) {
  const OptimizerOptions& rule = rule_named(options.name);
  for (const RealKey& key : real_keys()) resolve_key("optimizer", key, rule, optimizer_rules(), options);
  for (const FlagKey& key : flag_keys()) resolve_key("optimizer", key, rule, optimizer_rules(), options);
  for (const Role role : all_roles) {
    std::optional<bool>& trust_ratio = options.role(role).trust_ratio;
    const std::optional<bool>& standard = rule.role(role).trust_ratio;
    RZ_CHECK(value, standard || !trust_ratio, "optimizer.{}.trust_ratio belongs to lamb, but optimizer.name is {}",
             name(role), rule.name);
    if (!trust_ratio) trust_ratio = standard;
  }
  check(options);
  RZ_CHECK(value, options.name != "muon" || *options.learning_rate > 0,
           "optimizer: muon's learning_rate is 0, but the rate of all else is taken as a multiple of it "
           "(optimizer.weight.rate_factor = 0 keeps matrices where they are)");
  return options;
}

}  // namespace rz::optim
