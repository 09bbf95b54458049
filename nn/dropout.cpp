#include "nn/dropout.h"

#include "autograd/ops.h"
#include "core/error.h"
#include "core/random.h"

namespace rz::nn {

Dropout::Dropout(const std::string& name, double p, std::uint64_t seed)
    : key_{seed, stream_named("dropout/" + name)}, p_(p) {
  RZ_CHECK(value, p >= 0 && p < 1, "dropout: {} has a probability of {}, but it must lie in [0, 1)", name, p);
}

Variable Dropout::forward(const Variable& x, const StepState& state, bool training) const {
  return training && p_ > 0 ? dropout(x, p_, key_, state.tensor()) : x;
}

}  // namespace rz::nn
