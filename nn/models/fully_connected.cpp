#include "nn/models/fully_connected.h"

#include <fmt/format.h>

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

namespace {

void check(const FullyConnectedOptions& o) {
  RZ_CHECK(value, o.depth >= 1, "fully connected: a depth of {} was given, but at least one layer is needed", o.depth);
  RZ_CHECK(value, o.width >= 1, "fully connected: a width of {} was given, but it must be at least 1", o.width);
  RZ_CHECK(value, o.outputs >= 1 && o.inputs.elements() >= 1,
           "fully connected: inputs {} and {} outputs were given, but there must be at least one of each", o.inputs,
           o.outputs);
  const FormRow& form = row(o.form);
  RZ_CHECK(value, o.gate.empty() || form.gated, "fully connected: a gate was given, but the form {} ({}) has none",
           form.name, form.formula);
  RZ_CHECK(value, o.gate.size() <= 1 || static_cast<std::int64_t>(o.gate.size()) == o.depth,
           "fully connected: {} gates were given for {} layers (give one number, or one for each layer)", o.gate.size(),
           o.depth);
  RZ_CHECK(value, o.init != "authors" || !o.sigma_w,
           "fully connected: sigma_w was given, but init = {} has gains of its own (choose another init)", o.init);
}

LinearOptions hidden_options(const FullyConnectedOptions& o) {
  const Shape shape{o.width, o.width};
  LinearOptions linear{.inputs = o.width, .outputs = o.width};
  if (o.init == "authors") {
    // The notebook's gains: 0.5 keeps x + F(x) from growing at once; all other forms take that of its deep, LayerNorm
    // and ReZero nets.
    linear.weight_init = init::named("xavier_normal", shape, o.form == Form::residual ? 0.5 : std::sqrt(2.0));
  } else {
    linear.weight_init = init::named(o.init, shape, o.sigma_w);
    linear.bias_init = init::constant(0);
  }
  if (o.sigma_b) linear.bias_init = init::normal(*o.sigma_b);
  return linear;
}

}  // namespace

FullyConnected::FullyConnected(const FullyConnectedOptions& options) : options_(options) {
  check(options_);
  ParameterStore& store = *store_;
  const std::int64_t features = options_.inputs.elements(), width = options_.width;
  input_ = std::make_unique<Linear>(
      store, "linear_input",
      LinearOptions{
          .inputs = features, .outputs = width, .weight_init = init::named("kaiming_normal", {width, features})});
  const LinearOptions hidden = hidden_options(options_);
  layers_.reserve(static_cast<std::size_t>(options_.depth));
  for (std::int64_t i = 0; i < options_.depth; ++i)
    layers_.emplace_back(store, "linear_layers." + std::to_string(i), hidden);
  output_ =
      std::make_unique<Linear>(store, "linear_output", LinearOptions{.inputs = width, .outputs = options_.outputs});
  const FormRow& form = row(options_.form);
  if (form.gated) {
    std::vector<double> start = options_.gate.empty() ? std::vector<double>{form.gate_start} : options_.gate;
    if (start.size() == 1) start.assign(static_cast<std::size_t>(options_.depth), start[0]);
    gates_ = store.declare("resweight", {options_.depth}, Role::residual_weight, init::values(std::move(start)));
  }
  if (form.norm != NormPlace::none) norm_ = std::make_unique<LayerNorm>(store, "ln", width);
  residual_ = std::make_unique<Residual>(options_.form, gates_, norm_.get());
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

Variable FullyConnected::layer(const Variable& x, std::int64_t i) const {
  const Scope scope("linear_layers", i);
  const Linear& linear = layers_[static_cast<std::size_t>(i)];
  return (*residual_)(x, i, [&](const Variable& z) {
    return options_.branch == Branch::activation_last ? linear.forward(z, options_.activation)
                                                      : linear.forward(scalar(options_.activation, z));
  });
}

Variable FullyConnected::forward(const Variable& x) const {
  Variable h = first(x);
  for (std::int64_t i = 0; i < options_.depth; ++i) h = layer(h, i);
  const Scope scope("linear_output");
  return output_->forward(h);
}

Stages FullyConnected::stages() const {
  Stages chain;
  chain.input = [this](const Variable& x) { return first(x); };
  for (std::int64_t i = 0; i < options_.depth; ++i)
    chain.stages.emplace_back([this, i](const Variable& x) { return layer(x, i); });
  chain.output = [this](const Variable& x) { return output_->forward(x); };
  return chain;
}

std::string FullyConnected::formula() const {
  const std::string_view formula = row(options_.form).formula;
  if (options_.gate.empty()) return std::string(formula);
  const std::string start = options_.gate.size() > 1 ? "as given" : fmt::format("{:g}", options_.gate[0]);
  return fmt::format("{}, a = {}", formula.substr(0, formula.find(", a =")), start);
}

}  // namespace rz::nn
