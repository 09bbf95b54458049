// BatchNorm: f((x - mean) / sqrt(variance + eps) weight + bias) per column of x [..., features] (Ioffe, Szegedy 2015).
// In training mean and biased variance are those of the batch, otherwise the running ones.   Parameters, named as in
// PyTorch: NAME.weight (start: gain), NAME.bias (0), and the buffers NAME.running_mean (0), NAME.running_var (1,
// unbiased), all [features].
#pragma once

#include "autograd/ops.h"
#include "core/step.h"
#include "nn/module.h"

namespace rz::nn {

struct BatchNormLayerOptions {
  double gain = 1;        // start of the weight
  double momentum = 0.1;  // running = (1 - momentum) running + momentum (that of the batch)
  double eps = 1e-5;
};

class BatchNorm {
 public:
  BatchNorm(ParameterStore& store, const std::string& name, std::int64_t features,
            const BatchNormLayerOptions& options = {});
  Variable forward(const Variable& x, bool training, Scalar f = ScalarFunction::identity) const;
  // Takes the statistics of the last training pass that a tape recorded into the running ones; nothing where the
  // state's gradient scale is not finite. A pass that is run again for its gradients counts once.
  void update_statistics(const StepState& state) const;

 private:
  BatchNormLayerOptions options_;
  Parameter gain_, bias_, running_mean_, running_variance_;
  mutable BatchStatistics last_;  // of a training pass
  mutable std::int64_t rows_ = 0;
};

}  // namespace rz::nn
