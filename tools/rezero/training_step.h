// One step of training for batches of one shape: forward, loss, backward and update as a Step on inputs at fixed
// addresses.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "core/step.h"
#include "data/loader.h"
#include "nn/module.h"
#include "optim/optimizer.h"

namespace rz::tool {

class TrainingStep {
 public:
  // All but the sizes must outlive the step.
  TrainingStep(nn::Model& model, const optim::Optimizer& optimizer, const StepState& state,
               const CrossEntropyOptions& loss, std::int64_t rows);

  void run(const Batch& batch);  // the state is that of the step (StepState::set)
  std::int64_t rows() const { return labels_.elements(); }
  double loss() const { return std::fabs(loss_.item()); }  // never negative; a NaN loses its sign, too
  std::int64_t correct() const;                            // predictions that were right, before the update

  // Runs the forward pass again: the first layer and operation whose value is not finite, "linear_layers.12: linear",
  // or "".
  std::string first_nonfinite() const;

 private:
  Variable loss_of(const Variable& logits) const;
  nn::Model& model_;
  const optim::Optimizer& optimizer_;
  const StepState& state_;
  CrossEntropyOptions loss_options_;
  Tensor images_, labels_, loss_, predictions_;
  Step step_;
};

}  // namespace rz::tool
