#include "nn/dropout.h"

#include "autograd/ops.h"
#include "core/error.h"
#include "core/random.h"

namespace rz::nn {

Dropout::Dropout(const std::string& name, double p) : stream_(stream_named("dropout/" + name)), p_(p) {
  RZ_CHECK(value, p >= 0 && p < 1, "dropout: {} has a probability of {}, but it must lie in [0, 1)", name, p);
}

Variable Dropout::forward(const Variable& x, const DropoutSource& source) const {
  return source.state && p_ > 0 ? dropout(x, p_, RandomKey{source.seed, stream_}, source.state->tensor()) : x;
}

}  // namespace rz::nn
