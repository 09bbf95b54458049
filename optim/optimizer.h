// Optimisers: update rules over a ParameterStore. All state lives in the store's slots, every update is one pass over a
// role's flat range, and what changes from step to step (rate, step number, gradient scale) is read from the StepState
// on the device.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "autograd/parameter.h"
#include "core/step.h"

namespace rz::optim {

struct RoleOptions {
  double rate_factor = 1;              // the role's rate is the schedule's rate times this
  std::optional<double> weight_decay;  // default: OptimizerOptions::weight_decay for weights and embeddings, 0 for
                                       // biases, norms and residual weights
};

struct OptimizerOptions {
  std::string name = "adagrad";        // of optimizer_names()
  double learning_rate = 0.01;         // base rate, scaled by a Schedule
  double weight_decay = 0;             // added to the gradient (L2)
  double momentum = 0;                 // sgd
  bool nesterov = false;               // sgd
  double eps = 1e-10;                  // adagrad
  double clip_norm = 0;                // largest global gradient norm; 0: no clipping
  std::array<RoleOptions, 5> roles{};  // by Role
  RoleOptions& role(Role r) { return roles[static_cast<std::size_t>(r)]; }
  const RoleOptions& role(Role r) const { return roles[static_cast<std::size_t>(r)]; }
};

std::span<const std::string_view> optimizer_names();  // "sgd", "adagrad"

class Optimizer {
 public:
  // Throws: value (unknown name with the nearest one; a negative rate, decay, eps, clip_norm; nesterov without
  // momentum).
  static std::unique_ptr<Optimizer> create(const OptimizerOptions& options);
  virtual ~Optimizer() = default;

  // One update of all parameters from store.gradients(). Always computes the global gradient norm in f64 (state:
  // gradient_norm) and clips by it when asked; a norm that is not finite leaves everything as it is: the caller sees it
  // in the state after the step.
  void step(ParameterStore& store, const StepState& state) const;
  void prepare(ParameterStore& store) const;  // makes the slots, so that they can be loaded before the first step
  const OptimizerOptions& options() const { return options_; }
  double weight_decay(Role role) const;  // as resolved
  double rate_factor(Role role) const { return options_.role(role).rate_factor; }

 protected:
  explicit Optimizer(OptimizerOptions options) : options_(std::move(options)) {}
  virtual void update(ParameterStore& store, Role role, const UpdateOptions& update, const Tensor& state) const = 0;
  virtual std::span<const std::string_view> slots() const = 0;
  OptimizerOptions options_;
};

// The first parameter whose gradient holds a number that is not finite, or "".
std::string first_nonfinite_gradient(ParameterStore& store);

}  // namespace rz::optim
