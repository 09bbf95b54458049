#include "nn/models/residual_block.h"

#include "autograd/ops.h"
#include "core/error.h"
#include "nn/init.h"

namespace rz::nn {

void check_block_form(const char* model, const ResidualOptions& residual, bool has_norms) {
  const FormRow& form = row(residual.form);
  const bool zero_gamma = residual.form == Form::zero_gamma;
  RZ_CHECK(value, form.join != Join::highway && !form.learned_scalars,
           "{}: the form {} ({}) is one of layers of one width", model, form.name, form.formula);
  RZ_CHECK(value, !form.has_norm() || zero_gamma,
           "{}: the form {} ({}) places norms around its branch, but a block's norms follow its convolutions", model,
           form.name, form.formula);
  RZ_CHECK(value, has_norms || !zero_gamma,
           "{}: the form zero_gamma starts the gain of its norms at 0, but norm is none", model);
  RZ_CHECK(value, !has_norms || !form.scalar_biases,
           "{}: the form {} is there to do without norms (give norm = none as well)", model, form.name);
}

ConnectionGroup block_connection(const std::string& prefix, std::int64_t channels, std::int64_t block,
                                 std::int64_t blocks, std::int64_t matrices) {
  return {.connections = 1,
          .width = channels,
          .first = {.layer = block + 1,
                    .layers = blocks,
                    .connection = block + 1,
                    .sublayers = blocks,
                    .matrices = matrices},
          .one_layer = true,
          .one_gate = true,
          .prefix = prefix,
          .own_norms = true};
}

Initializer block_kernel_init(const Shape& shape, Form form, const Position& position, bool last) {
  if (last && row(form).zero_last) return init::constant(0);
  return init::scaled(init::named("kaiming_normal", shape), row(form).weight.at(position));
}

double last_gain(const ResidualOptions& residual) { return residual.norm_gain.value_or(row(residual.form).norm_gain); }

std::unique_ptr<BatchNorm> block_norm(ParameterStore& store, const std::string& name, std::int64_t channels,
                                      double gain) {
  return std::make_unique<BatchNorm>(store, name, channels, BatchNormLayerOptions{.gain = gain});
}

Variable normed(const BatchNorm* norm, const Variable& x, bool training) {
  return norm ? norm->forward(x, training, ScalarFunction::relu) : relu(x);
}

}  // namespace rz::nn
