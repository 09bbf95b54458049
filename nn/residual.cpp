#include "nn/residual.h"

#include <string>

#include "autograd/ops.h"
#include "core/error.h"
#include "nn/init.h"

namespace rz::nn {

namespace {

thread_local ResidualProbe* probe = nullptr;

void check(const FormRow& form, const ResidualOptions& o) {
  RZ_CHECK(value, o.gate.empty() || form.gated() || form.join == Join::highway,
           "residual: a gate was given, but the form {} ({}) has none", form.name, form.formula);
  RZ_CHECK(value, !o.gate_shape || form.gated(),
           "residual: the shape of gates was given, but the form {} ({}) has none", form.name, form.formula);
  RZ_CHECK(value, o.gate_shape != GateShape::none, "residual: the form {} has gates, their shape is scalar or vector",
           form.name);
  RZ_CHECK(value, o.train_gates || form.gated(), "residual: gates were to stay, but the form {} ({}) has none",
           form.name, form.formula);
  RZ_CHECK(value, o.norm == NormKind::layer_norm || form.has_norm(),
           "residual: a kind of norm was given, but the form {} ({}) has none", form.name, form.formula);
  RZ_CHECK(value, !o.norm_gain || form.norm_out || form.norm_post,
           "residual: a gain of the norm was given, but the form {} ({}) has no norm after its branch", form.name,
           form.formula);
  RZ_CHECK(value, (o.branch_k == 1 && o.branch_p == 0.5) || form.form == Form::branch_scale,
           "residual: constants k and p were given, but only the form branch_scale has them, not {}", form.name);
  RZ_CHECK(value, (o.skip.empty() && o.injection.empty()) || form.learned_scalars,
           "residual: scalars of the skip or of the input were given, but the form {} ({}) has none", form.name,
           form.formula);
}

// One start value per layer, from what was given or from the form's constant.
std::vector<double> starts(const std::vector<double>& given, const char* what, const Constant& usual, Position stack) {
  RZ_CHECK(value, given.size() <= 1 || std::ssize(given) == stack.layers,
           "residual: {} {} were given for {} layers (give one number, or one for each layer)", given.size(), what,
           stack.layers);
  std::vector<double> values;
  for (stack.layer = 1; stack.layer <= stack.layers; ++stack.layer)
    values.push_back(given.empty()       ? usual.at(stack)
                     : given.size() == 1 ? given[0]
                                         : given[static_cast<std::size_t>(stack.layer - 1)]);
  return values;
}

std::vector<double> repeated(const std::vector<double>& values, std::int64_t times) {
  std::vector<double> all;
  for (const double value : values) all.insert(all.end(), static_cast<std::size_t>(times), value);
  return all;
}

// Row l of [L] or [L, width], as [1] or [width].
Variable at_layer(const Variable& values, std::int64_t l) {
  const Variable row = slice(values, 0, l, 1);
  return values.shape().rank() == 1 ? row : reshape(row, {values.shape()[1]});
}

Variable times(double constant, const Variable& x) { return constant == 1 ? x : scale(constant, x); }

}  // namespace

Residual::Residual(ParameterStore& store, const ResidualOptions& options, const Position& stack, std::int64_t width)
    : row_(row(options.form)),
      stack_(stack),
      gate_shape_(options.gate_shape.value_or(row_.gate)),
      train_gates_(options.train_gates) {
  check(row_, options);
  stack_.k = options.branch_k;
  stack_.p = options.branch_p;
  const std::vector<double> start = starts(options.gate, "gates", row_.gate_start, stack_);
  if (gate_shape_ == GateShape::scalar)
    gates_ = store.declare("resweight", {stack_.layers}, Role::residual_weight, init::values(start));
  if (gate_shape_ == GateShape::vector)
    gates_ =
        store.declare("resweight", {stack_.layers, width}, Role::residual_weight, init::values(repeated(start, width)));
  for (const double a : start)
    RZ_CHECK(value, row_.gate_function != ScalarFunction::relu || a > 0,
             "residual: a gate of {} starts at {}, where relu(a) has slope 0: it would never move (start above 0)",
             row_.name, a);
  declare_norms(store, options, width);
  declare_scalars(store, options);
  if (row_.join != Join::highway) return;
  for (std::int64_t l = 0; l < stack_.layers; ++l)
    transforms_.emplace_back(
        store, "transform_layers." + std::to_string(l),
        LinearOptions{
            .inputs = width, .outputs = width, .bias_init = init::constant(start[static_cast<std::size_t>(l)])});
}

void Residual::declare_norms(ParameterStore& store, const ResidualOptions& options, std::int64_t width) {
  const NormOptions first{.kind = options.norm},
      last{.kind = options.norm, .gain = options.norm_gain.value_or(row_.norm_gain)};
  if (row_.norm_in) norm_in_ = std::make_unique<Norm>(store, "ln", width, first);
  const char* const name = row_.norm_in ? "ln_out" : "ln";
  if (row_.norm_out) norm_out_ = std::make_unique<Norm>(store, name, width, last);
  if (row_.norm_post) norm_post_ = std::make_unique<Norm>(store, name, width, last);
}

void Residual::declare_scalars(ParameterStore& store, const ResidualOptions& options) {
  const Shape shape{stack_.layers};
  if (row_.learned_scalars) {
    skips_ = store.declare("skipweight", shape, Role::residual_weight,
                           init::values(starts(options.skip, "skip scalars", row_.skip, stack_)));
    inputs_ = store.declare("inputweight", shape, Role::residual_weight,
                            init::values(starts(options.injection, "input scalars", row_.injection, stack_)));
  }
  if (row_.scalar_biases) {
    biases_in_ = store.declare("bias_in", shape, Role::bias, init::constant(0));
    biases_out_ = store.declare("bias_out", shape, Role::bias, init::constant(0));
  }
}

Position Residual::position(std::int64_t l) const {
  Position here = stack_;
  here.layer = l + 1;
  return here;
}

Variable Residual::before(const Variable& x, std::int64_t l) const {
  const Variable z = times(row_.input.at(position(l)), norm_in_ ? norm_in_->forward(x) : x);
  return biases_in_.defined() ? add(z, at_layer(biases_in_, l)) : z;
}

Variable Residual::gates_variable() const { return train_gates_ ? gates_.variable() : Variable(gates_.value()); }

bool Residual::is_gated_sum() const {
  const auto is_1 = [](const Constant& c) { return c.text == "1"; };
  const bool bare = !norm_in_ && !norm_out_ && !norm_post_ && !biases_in_.defined() && !skips_.defined();
  return !probe && bare && row_.join == Join::sum && gate_shape_ == GateShape::scalar &&
         row_.gate_function == ScalarFunction::identity && is_1(row_.skip) && is_1(row_.branch) && is_1(row_.input);
}

Variable Residual::gate(std::int64_t l) const {
  const Variable a = at_layer(gates_variable(), l);
  return row_.gate_function == ScalarFunction::identity ? a : scalar(row_.gate_function, a);
}

Variable Residual::skipped(const Variable& x, const Variable& x_0, std::int64_t l) const {
  if (skips_.defined()) return add(multiply(x, at_layer(skips_, l)), multiply(x_0, at_layer(inputs_, l)));
  const double s = row_.skip.at(position(l));
  return s == 0 ? Variable() : times(s, x);
}

Variable Residual::joined(const Variable& x, const Variable& x_0, const Variable& f, std::int64_t l) const {
  if (row_.join == Join::highway) {
    const Variable t = transforms_[static_cast<std::size_t>(l)].forward(x, ScalarFunction::sigmoid);
    return add(x, multiply(t, subtract(f, x)));
  }
  if (row_.join == Join::convex) return add(x, multiply(subtract(f, x), gate(l)));
  const Variable skip = skipped(x, x_0, l), branch = times(row_.branch.at(position(l)), f);
  if (!gates_.defined()) return skip.defined() ? add(skip, branch) : branch;
  if (gate_shape_ == GateShape::scalar && row_.gate_function == ScalarFunction::identity)
    return residual_add(skip, branch, gates_variable(), l);
  return add(skip, multiply(branch, gate(l)));
}

Variable Residual::join(const Variable& x, const Variable& x_0, const Variable& z, const Variable& f,
                        std::int64_t l) const {
  const Variable branch = norm_out_ ? norm_out_->forward(f) : f;
  Variable y = joined(x, x_0, branch, l);
  if (biases_out_.defined()) y = add(y, at_layer(biases_out_, l));
  if (norm_post_) y = norm_post_->forward(y);
  if (probe) probe->report_({l, x.value(), z.value(), f.value(), branch.value(), y.value()});
  return y;
}

ResidualProbe::ResidualProbe(Report report) : report_(std::move(report)), outer_(probe) { probe = this; }
ResidualProbe::~ResidualProbe() { probe = outer_; }

}  // namespace rz::nn
