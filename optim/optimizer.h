// Optimisers: update rules over a ParameterStore. All state lives in the store's slots, most updates are one pass over
// a role's flat range (LAMB's trust ratio goes tensor by tensor, Muon matrix by matrix), and what changes from step to
// step (rate, step number, gradient scale) is read from the StepState on the device.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "autograd/parameter.h"
#include "core/step.h"
#include "optim/options.h"

namespace rz::optim {

class Optimizer {
 public:
  static std::unique_ptr<Optimizer> create(const OptimizerOptions& options);  // Throws: as resolved()
  virtual ~Optimizer() = default;

  // One update of all parameters from store.gradients(). Always computes the global gradient norm in f64 (state:
  // gradient_norm) and clips by it when asked; a norm that is not finite leaves everything as it is: the caller sees it
  // in the state after the step. The state's step counts from 1 (bias corrections).
  void step(ParameterStore& store, const StepState& state) const;
  void prepare(ParameterStore& store) const;  // makes the slots, so that they can be loaded before the first step
  const OptimizerOptions& options() const { return options_; }  // resolved
  double learning_rate() const { return *options_.learning_rate; }
  double weight_decay(Role role) const;  // as resolved
  // The role's rate is that of the schedule times this, and in layers also times options().layers.rate_factor.
  virtual double rate_factor(Role role) const { return options_.role(role).rate_factor; }

 protected:
  explicit Optimizer(OptimizerOptions options) : options_(std::move(options)) {}
  virtual void update(ParameterStore& store, const ParameterStore::Range& range, const UpdateOptions& update,
                      const Tensor& state) const = 0;
  virtual std::span<const std::string_view> slots() const = 0;
  OptimizerOptions options_;
};

// The first parameter whose gradient holds a number that is not finite, or "".
std::string first_nonfinite_gradient(ParameterStore& store);

}  // namespace rz::optim
