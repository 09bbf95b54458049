// One step of training for batches of one shape: forward, loss, backward and update as a Step on inputs at fixed
// addresses. A batch may be taken in parts, one after the other: the gradients are those of the whole batch's mean loss
// to rounding, in the memory of one part. What looks at a batch as a whole (batch norm) then sees a part.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "core/step.h"
#include "data/loader.h"
#include "nn/module.h"
#include "optim/ema.h"
#include "optim/optimizer.h"

namespace rz::tool {

struct BatchShape {
  std::int64_t rows = 1;    // examples
  std::int64_t inputs = 1;  // numbers or tokens of an example
  std::int64_t labels = 1;  // of an example
};

class TrainingStep {
 public:
  // All but the sizes must outlive the step; `ema` may be null. `parts`: at least 1, at most as many as there are rows
  // count; their sizes differ by one at most.
  TrainingStep(nn::Model& model, const optim::Optimizer& optimizer, const optim::Ema* ema, const StepState& state,
               const CrossEntropyOptions& loss, const BatchShape& shape, std::int64_t parts = 1);

  void run(const Batch& batch);                             // the state is that of the step (StepState::set)
  std::int64_t rows() const { return labels_.shape()[0]; }  // examples
  double loss() const { return std::fabs(loss_.item()); }   // never negative; a NaN loses its sign, too
  std::int64_t correct() const;                             // predictions that were right, before the update
  std::int64_t predictions() const { return predicted_; }

  // Runs the forward pass again: the first layer and operation whose value is not finite, "linear_layers.12: linear",
  // or "".
  std::string first_nonfinite() const;

 private:
  struct Part {  // rows of the batch
    std::int64_t first, count;
  };
  Part part(std::int64_t index) const;
  Variable logits_of(const Part& rows) const;
  // The part's share of the batch's mean loss.
  Variable loss_of(const Variable& logits, const Part& rows) const;
  nn::Model& model_;
  const optim::Optimizer& optimizer_;
  const optim::Ema* ema_;
  const StepState& state_;
  StepState part_state_;  // whether the parts of a step so far are finite
  CrossEntropyOptions loss_options_;
  std::int64_t parts_;
  Tensor inputs_, labels_, loss_, predictions_;  // labels and predictions [rows, labels of an example]
  std::int64_t predicted_ = 0;                   // labels of the last batch that count
  Tensor counted_;  // scalar: rows of the whole batch that count; undefined for a batch in one part
  Step step_;
};

}  // namespace rz::tool
