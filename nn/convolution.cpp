#include "nn/convolution.h"

#include "autograd/ops.h"
#include "core/error.h"
#include "nn/init.h"

namespace rz::nn {

Conv2d::Conv2d(ParameterStore& store, const std::string& name, const Conv2dOptions& options)
    : window_{.kernel = {options.kernel, options.kernel},
              .stride = {options.stride, options.stride},
              .padding = {options.padding, options.padding}} {
  RZ_CHECK(value, options.inputs > 0 && options.outputs > 0 && options.kernel > 0,
           "conv2d: {} with {} inputs, {} outputs and a kernel of {} was asked for, but all must be at least 1", name,
           options.inputs, options.outputs, options.kernel);
  const Shape shape{options.outputs, options.inputs, options.kernel, options.kernel};
  weight_ = store.declare(name + ".weight", shape, Role::weight,
                          options.weight_init ? options.weight_init : init::named("kaiming_normal", shape));
  if (options.bias)
    bias_ = store.declare(name + ".bias", {options.outputs}, Role::bias,
                          options.bias_init ? options.bias_init : init::constant(0));
}

Variable Conv2d::forward(const Variable& x) const {
  const Variable y = conv2d(x, weight_, window_);
  return bias_.defined() ? add(y, bias_) : y;
}

}  // namespace rz::nn
