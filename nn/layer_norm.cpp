#include "nn/layer_norm.h"

#include "autograd/ops.h"
#include "nn/init.h"

namespace rz::nn {

LayerNorm::LayerNorm(ParameterStore& store, const std::string& name, std::int64_t features, double eps) : eps_(eps) {
  gain_ = store.declare(name + ".weight", {features}, Role::norm, init::constant(1));
  bias_ = store.declare(name + ".bias", {features}, Role::norm, init::constant(0));
}

Variable LayerNorm::forward(const Variable& x) const { return layer_norm(x, gain_, bias_, eps_); }

}  // namespace rz::nn
