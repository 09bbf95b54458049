#include "nn/models/cnn.h"

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/error.h"
#include "nn/init.h"

namespace rz::nn {

namespace {

// A side after so many convolutions of stride 2.
std::int64_t halved(std::int64_t side, std::int64_t times) {
  for (std::int64_t k = 0; k < times && side > 1; ++k) side = (side + 1) / 2;
  return side;
}

void check_cnn(const CnnOptions& o) {
  RZ_CHECK(value, o.depth >= 1, "cnn: a depth of {} was given, but at least one layer is needed", o.depth);
  RZ_CHECK(value, o.width >= 1, "cnn: a width of {} was given, but it must be at least 1", o.width);
  RZ_CHECK(value, o.downsamplings >= 0, "cnn: {} downsamplings were given, but there cannot be fewer than none",
           o.downsamplings);
  const Shape& images = o.image.inputs;
  const std::int64_t side = std::max(images[1], images[2]);
  RZ_CHECK(value, o.downsamplings == 0 || halved(side, o.downsamplings - 1) > 1,
           "cnn: {} downsamplings were given, but images {} are one pixel before the last", o.downsamplings, images);
  const FormRow& form = row(o.residual.form);
  RZ_CHECK(value, !form.zero_last || evaluate(o.activation, 1, 0) != 0,
           "cnn: the kernels of {} start at 0, and {} has slope 0 there: nothing would ever move (take an activation "
           "with a slope, such as tanh)",
           form.name, info(o.activation.function).name);
}

Position stack_of(const CnnOptions& o) { return {.layers = o.depth, .sublayers = o.depth, .matrices = 1}; }

Initializer kernel_init(const CnnOptions& o, std::string_view name, const Shape& shape) {
  return init::named(name == "mean_field" ? "lecun_normal" : name, shape, o.sigma_w);
}

Initializer bias_init(const CnnOptions& o) { return o.sigma_b ? init::normal(*o.sigma_b) : init::constant(0); }

// A kernel that is a delta would read one pixel in four where it has a stride of 2.
Conv2dOptions stem_options(const CnnOptions& o, std::int64_t k) {
  const std::int64_t inputs = k == 0 ? o.image.inputs[0] : o.width;
  const std::string_view name = o.init == "delta_orthogonal" ? "mean_field" : std::string_view(o.init);
  return {.inputs = inputs,
          .outputs = o.width,
          .stride = k == 0 ? 1 : 2,
          .bias = true,
          .weight_init = kernel_init(o, name, {o.width, inputs, 3, 3}),
          .bias_init = bias_init(o)};
}

Conv2dOptions layer_options(const CnnOptions& o) {
  const FormRow& form = row(o.residual.form);
  const Initializer kernel = kernel_init(o, o.init, {o.width, o.width, 3, 3});
  return {.inputs = o.width,
          .outputs = o.width,
          .bias = !form.scalar_biases,
          .weight_init = form.zero_last ? init::constant(0) : init::scaled(kernel, form.weight.at(stack_of(o))),
          .bias_init = form.zero_last ? init::constant(0) : bias_init(o)};
}

}  // namespace

Cnn::Cnn(const CnnOptions& options) : ImageModel("cnn", options.image), options_(options) {
  check_cnn(options_);
  ParameterStore& store = *store_;
  for (std::int64_t k = 0; k <= options_.downsamplings; ++k)
    inputs_.emplace_back(store, "conv_input." + std::to_string(k), stem_options(options_, k));
  const Conv2dOptions layer = layer_options(options_);
  layers_.reserve(static_cast<std::size_t>(options_.depth));
  for (std::int64_t i = 0; i < options_.depth; ++i)
    layers_.emplace_back(store, std::string(layer_prefix) + std::to_string(i), layer);
  declare_linear(options_.width, {});
  residual_ = std::make_unique<Residual>(
      store, options_.residual,
      ConnectionGroup{.connections = options_.depth, .width = options_.width, .first = stack_of(options_)});
}

Variable Cnn::stem(const Variable& images) const {
  Variable h = images;
  for (std::size_t k = 0; k < inputs_.size(); ++k) {
    const Scope scope("conv_input", static_cast<std::int64_t>(k));
    h = scalar(options_.activation, inputs_[k].forward(h));
  }
  return h;
}

Variable Cnn::layer(const Variable& x, const Variable& x_0, std::int64_t i) const {
  const Scope scope("conv_layers", i);
  return (*residual_)(x, x_0, i, [&](const Variable& z) {
    return scalar(options_.activation, layers_[static_cast<std::size_t>(i)].forward(z));
  });
}

Variable Cnn::hidden(const Variable& x_0) const {
  if (is_chain()) return ImageModel::hidden(x_0);
  Variable h = x_0;
  for (std::int64_t i = 0; i < options_.depth; ++i) h = layer(h, x_0, i);
  return h;
}

std::string Cnn::formula() const { return formula_text(options_.residual); }

std::string Cnn::constants() const {
  const ResidualOptions& o = options_.residual;
  return constants_text(o.form, residual_->position(0), o.skip, o.injection);
}

std::vector<Parameter> Cnn::residual_weights() const {
  return residual_->gates().defined() ? std::vector{residual_->gates()} : std::vector<Parameter>();
}

}  // namespace rz::nn
