#include "nn/batch_norm.h"

#include <algorithm>

#include "autograd/tape.h"
#include "core/ops.h"
#include "nn/init.h"

namespace rz::nn {

BatchNorm::BatchNorm(ParameterStore& store, const std::string& name, std::int64_t features,
                     const BatchNormLayerOptions& options)
    : options_(options),
      gain_(store.declare(name + ".weight", {features}, Role::norm, init::constant(options.gain))),
      bias_(store.declare(name + ".bias", {features}, Role::norm, init::constant(0))),
      running_mean_(store.declare(name + ".running_mean", {features}, Role::buffer, init::constant(0))),
      running_variance_(store.declare(name + ".running_var", {features}, Role::buffer, init::constant(1))) {}

Variable BatchNorm::forward(const Variable& x, bool training, Scalar f) const {
  const rz::BatchNormOptions options{.eps = options_.eps, .f = f};
  if (!training) return batch_norm(x, gain_, bias_, {running_mean_.value(), running_variance_.value()}, options);
  BatchStatistics statistics;
  const Variable y = batch_norm(x, gain_, bias_, options, &statistics);
  if (Tape::active()) {
    last_ = statistics;
    rows_ = x.shape().rows();
  }
  return y;
}

void BatchNorm::update_statistics(const StepState& state) const {
  if (!last_.mean.defined()) return;
  const double unbiased = static_cast<double>(rows_) / static_cast<double>(std::max<std::int64_t>(1, rows_ - 1));
  const double decay = 1 - options_.momentum;
  ops::moving_average(decay, state.tensor(), last_.mean, running_mean_.value());
  ops::moving_average(decay, state.tensor(), ops::scale(unbiased, last_.variance), running_variance_.value());
  last_ = {};
}

}  // namespace rz::nn
