#include "nn/linear.h"

#include <cmath>

#include "autograd/ops.h"
#include "core/error.h"
#include "nn/init.h"

namespace rz::nn {

Linear::Linear(ParameterStore& store, const std::string& name, const LinearOptions& options) {
  RZ_CHECK(value, options.inputs > 0 && options.outputs > 0,
           "linear: {} with {} inputs and {} outputs was asked for, but both must be at least 1", name, options.inputs,
           options.outputs);
  const Initializer standard = init::uniform(1 / std::sqrt(static_cast<double>(options.inputs)));
  weight_ = store.declare(name + ".weight", {options.outputs, options.inputs}, Role::weight,
                          options.weight_init ? options.weight_init : standard);
  if (options.bias)
    bias_ =
        store.declare(name + ".bias", {options.outputs}, Role::bias, options.bias_init ? options.bias_init : standard);
}

Variable Linear::forward(const Variable& x, Scalar activation) const {
  return linear(x, weight_, bias_.defined() ? bias_.variable() : Variable(), activation);
}

}  // namespace rz::nn
