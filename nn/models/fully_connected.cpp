#include "nn/models/fully_connected.h"

#include <cmath>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/error.h"
#include "nn/init.h"

namespace rz::nn {

std::string_view name(Branch branch) {
  return branch == Branch::activation_last ? "activation_last" : "activation_first";
}

Branch branch_named(std::string_view wanted) {
  for (const Branch branch : {Branch::activation_last, Branch::activation_first})
    if (name(branch) == wanted) return branch;
  RZ_FAIL(value, "branch: {} is not an order of the branch (activation_last, activation_first)", wanted);
}

Branch default_branch(Form form) { return row(form).zero_last ? Branch::activation_first : Branch::activation_last; }

namespace {

void check(const FullyConnectedOptions& o) {
  RZ_CHECK(value, o.depth >= 1, "fully connected: a depth of {} was given, but at least one layer is needed", o.depth);
  RZ_CHECK(value, o.width >= 1, "fully connected: a width of {} was given, but it must be at least 1", o.width);
  RZ_CHECK(value, o.outputs >= 1 && o.inputs.elements() >= 1,
           "fully connected: inputs {} and {} outputs were given, but there must be at least one of each", o.inputs,
           o.outputs);
  const FormRow& form = row(o.residual.form);
  RZ_CHECK(value, !form.zero_last || o.branch == Branch::activation_first || evaluate(o.activation, 1, 0) != 0,
           "fully connected: the last matrix of {} starts at 0, and {} has slope 0 there: with activation_last nothing "
           "would ever move (branch activation_first)",
           form.name, info(o.activation.function).name);
  RZ_CHECK(value, o.init != "authors" || !o.sigma_w,
           "fully connected: sigma_w was given, but init = {} has gains of its own (choose another init)", o.init);
  RZ_CHECK(value, o.weights == "gaussian" || o.weights == "orthogonal",
           "fully connected: weights {} is neither gaussian nor orthogonal", o.weights);
  RZ_CHECK(value, o.weights == "gaussian" || o.init == "mean_field",
           "fully connected: weights was given, but init is {} (it belongs to init = mean_field)", o.init);
}

Position stack_of(const FullyConnectedOptions& o) { return {.layers = o.depth, .sublayers = o.depth, .matrices = 1}; }

LinearOptions mean_field_options(const FullyConnectedOptions& o, std::int64_t inputs) {
  return {.inputs = inputs,
          .outputs = o.width,
          .weight_init = init::named(o.weights == "orthogonal" ? "orthogonal" : "lecun_normal", {o.width, inputs},
                                     o.sigma_w.value_or(1)),
          .bias_init = init::normal(o.sigma_b.value_or(0))};
}

LinearOptions input_options(const FullyConnectedOptions& o) {
  const std::int64_t features = o.inputs.elements();
  if (o.init == "mean_field") return mean_field_options(o, features);
  return {.inputs = features, .outputs = o.width, .weight_init = init::named("kaiming_normal", {o.width, features})};
}

LinearOptions hidden_options(const FullyConnectedOptions& o) {
  const Shape shape{o.width, o.width};
  const FormRow& form = row(o.residual.form);
  LinearOptions linear{.inputs = o.width, .outputs = o.width};
  if (o.init == "mean_field") {
    linear = mean_field_options(o, o.width);
  } else if (o.init == "authors") {
    // The notebook's gains: 0.5 keeps x + F(x) from growing at once; all other forms take that of its deep, LayerNorm
    // and ReZero nets.
    linear.weight_init = init::named("xavier_normal", shape, form.form == Form::residual ? 0.5 : std::sqrt(2.0));
  } else {
    linear.weight_init = init::named(o.init, shape, o.sigma_w);
    linear.bias_init = init::constant(0);
  }
  if (o.sigma_b) linear.bias_init = init::normal(*o.sigma_b);
  if (form.zero_last) {
    linear.weight_init = init::constant(0);
    linear.bias_init = init::constant(0);
  } else {
    linear.weight_init = init::scaled(linear.weight_init, form.weight.at(stack_of(o)));
  }
  linear.bias = !form.scalar_biases;
  return linear;
}

}  // namespace

FullyConnected::FullyConnected(const FullyConnectedOptions& options) : options_(options) {
  check(options_);
  ParameterStore& store = *store_;
  const std::int64_t width = options_.width;
  input_ = std::make_unique<Linear>(store, "linear_input", input_options(options_));
  const LinearOptions hidden = hidden_options(options_);
  layers_.reserve(static_cast<std::size_t>(options_.depth));
  for (std::int64_t i = 0; i < options_.depth; ++i)
    layers_.emplace_back(store, std::string(layer_prefix) + std::to_string(i), hidden);
  for (std::int64_t i = 0; options_.dropout != 0 && i < options_.depth; ++i)
    dropouts_.emplace_back(std::string(layer_prefix) + std::to_string(i), options_.dropout);
  output_ =
      std::make_unique<Linear>(store, "linear_output", LinearOptions{.inputs = width, .outputs = options_.outputs});
  residual_ = std::make_unique<Residual>(
      store, options_.residual,
      ConnectionGroup{.connections = options_.depth, .width = width, .first = stack_of(options_)});
}

Variable FullyConnected::first(const Variable& x) const {
  const Scope scope("linear_input");
  const std::int64_t features = options_.inputs.elements();
  RZ_CHECK(shape, x.shape().rank() >= 1 && x.value().elements() == x.shape()[0] * features,
           "fully connected: x {} must be [batch, {}] or [batch] and the axes of {}", x.shape(), features,
           options_.inputs);
  const Variable rows = x.shape().rank() == 2 ? x : reshape(x, {x.shape()[0], features});
  return input_->forward(
      rows, options_.branch == Branch::activation_last ? options_.activation : Scalar(ScalarFunction::identity));
}

Variable FullyConnected::layer(const Variable& x, const Variable& x_0, std::int64_t i) const {
  const Scope scope("linear_layers", i);
  const Linear& linear = layers_[static_cast<std::size_t>(i)];
  return (*residual_)(x, x_0, i, [&](const Variable& z) {
    const Variable f = options_.branch == Branch::activation_last ? linear.forward(z, options_.activation)
                                                                  : linear.forward(scalar(options_.activation, z));
    return dropouts_.empty() ? f : dropouts_[static_cast<std::size_t>(i)].forward(f, dropout_source());
  });
}

// Layers [first, last) from the hidden state x, at once where that is faster, else one after the other.
Variable FullyConnected::layers(const Variable& x, std::int64_t first, std::int64_t last) const {
  if (fuses_residual_stack(x) && residual_->is_gated_sum() && dropouts_.empty() &&
      options_.branch == Branch::activation_last) {
    const Scope scope("linear_layers");
    std::vector<Variable> weights, biases;
    weights.reserve(static_cast<std::size_t>(last - first));
    biases.reserve(static_cast<std::size_t>(last - first));
    for (std::int64_t i = first; i < last; ++i) {
      const Linear& linear = layers_[static_cast<std::size_t>(i)];
      weights.push_back(linear.weight());
      biases.push_back(linear.bias());
    }
    const Variable gates = residual_->gates_variable();
    return residual_stack(x, weights, biases, first == 0 ? gates : slice(gates, 0, first, last - first),
                          options_.activation);
  }
  Variable h = x;
  for (std::int64_t i = first; i < last; ++i) h = layer(h, x, i);
  return h;
}

Variable FullyConnected::forward(const Variable& x) const {
  const Variable h = hidden(first(x));
  const Scope scope("linear_output");
  return output_->forward(h);
}

Stages FullyConnected::stages() const {
  Stages chain;
  chain.input = [this](const Variable& x) { return first(x); };
  chain.chain = !residual_->injects();
  if (!chain.chain) {
    chain.stages.emplace_back([this](const Variable& x_0) { return hidden(x_0); });
  } else {
    for (std::int64_t i = 0; i < options_.depth; ++i)
      chain.stages.emplace_back([this, i](const Variable& x) { return layer(x, {}, i); });
    chain.run = [this](const Variable& x, std::int64_t first, std::int64_t last) { return layers(x, first, last); };
  }
  chain.output = [this](const Variable& x) { return output_->forward(x); };
  return chain;
}

std::string FullyConnected::formula() const { return formula_text(options_.residual); }

std::vector<Parameter> FullyConnected::residual_weights() const {
  return residual_->gates().defined() ? std::vector{residual_->gates()} : std::vector<Parameter>();
}

std::string FullyConnected::constants() const {
  const ResidualOptions& o = options_.residual;
  return constants_text(o.form, residual_->position(0), o.skip, o.injection);
}

}  // namespace rz::nn
