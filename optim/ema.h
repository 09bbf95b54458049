// Exponential moving average of the weights (Polyak, Juditsky 1992; with decay as in Tarvainen, Valpola 2017, Eq. 2).
#pragma once

#include "autograd/parameter.h"
#include "core/step.h"

namespace rz::optim {

class Ema {
 public:
  static constexpr const char* slot = "ema";  // of the store: checkpoints hold it

  explicit Ema(double decay);                 // Throws: value (outside [0, 1))
  void prepare(ParameterStore& store) const;  // makes the slot: the average begins as the weights are
  // average = decay average + (1 - decay) weights, one pass, after Optimizer::step. A step that the optimiser left out
  // (its gradient norm is not finite) is left out here too.
  void update(ParameterStore& store, const StepState& state) const;

 private:
  double decay_;
};

// While it lives, the store's values are the averages.   Not inside a Step.
class AveragedWeights {
 public:
  explicit AveragedWeights(ParameterStore& store);
  ~AveragedWeights();
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  ParameterStore& store_;
  Tensor kept_;
};

}  // namespace rz::optim
