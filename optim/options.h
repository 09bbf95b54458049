// What an update rule can be told, and what it takes where nothing is said: one table with a row per rule.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/parameter.h"

namespace rz::optim {

struct RoleOptions {
  double rate_factor = 1;                // the role's rate is the schedule's rate times this
  std::optional<double> weight_decay{};  // default: OptimizerOptions::weight_decay for weights and embeddings, 0 for
                                         // biases, norms and residual weights
  std::optional<bool> trust_ratio{};     // lamb; default: true for weights and embeddings. Without it the ratio is 1
};

// Further factors of the parameters whose names begin with `prefix`, such as those of the residual layers.
struct LayerOptions {
  std::string prefix;  // empty: of all
  double rate_factor = 1, eps_factor = 1;
};

// A key that is left out takes the rule's default (optimizer_rules()); one that the rule does not use may not be given.
struct OptimizerOptions {
  std::string name = "adagrad";                    // of optimizer_names()
  std::optional<double> learning_rate{};           // base rate, scaled by a Schedule
  std::optional<double> weight_decay{};            // sgd, adagrad, rmsprop, adam: added to the gradient (L2);
                                                   // adamw, lamb, lion, muon: decoupled, w -= rate weight_decay w
  std::optional<double> momentum{};                // sgd, rmsprop, muon
  std::optional<bool> nesterov{};                  // sgd, muon
  std::optional<double> alpha{};                   // rmsprop: decay of the mean square
  std::optional<double> beta1{}, beta2{};          // adam, adamw, lamb; lion; muon, for what AdamW moves
  std::optional<double> eps{};                     // all but sgd and lion: added to the root
  std::optional<bool> bias_correction{};           // lamb
  std::optional<double> fallback_learning_rate{};  // muon: base rate of what AdamW moves, on the same schedule
  double clip_norm = 0;                            // largest global gradient norm; 0: no clipping
  std::array<RoleOptions, 5> roles{};              // by Role
  LayerOptions layers{};
  RoleOptions& role(Role r) { return roles[static_cast<std::size_t>(r)]; }
  const RoleOptions& role(Role r) const { return roles[static_cast<std::size_t>(r)]; }
};

// The keys as members, for code that goes through all of them.
struct RealKey {
  std::string_view name;
  std::optional<double> OptimizerOptions::* member;
};
struct FlagKey {
  std::string_view name;
  std::optional<bool> OptimizerOptions::* member;
};
std::span<const RealKey> real_keys();
std::span<const FlagKey> flag_keys();

// A row per rule: its name and its defaults. The rule uses exactly the keys that have a value here.
std::span<const OptimizerOptions> optimizer_rules();
std::span<const std::string_view> optimizer_names();  // in the order of the rows

// Every key that the rule uses has a value, by role too.
// Throws: value (unknown name with the nearest one; a key that the rule does not use; a number out of its range;
// nesterov without momentum).
OptimizerOptions resolved(OptimizerOptions options);

}  // namespace rz::optim
