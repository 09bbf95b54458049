#include "nn/residual.h"

#include <fmt/format.h>

#include <algorithm>
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

// One start value per row of the group, from what was given for all layers or from the form's constant.
std::vector<double> starts(const std::vector<double>& given, const char* what, const Constant& usual,
                           const std::vector<Position>& rows) {
  const std::int64_t layers = rows.front().layers;
  RZ_CHECK(value, given.size() <= 1 || std::ssize(given) == layers,
           "residual: {} {} were given for {} layers (give one number, or one for each layer)", given.size(), what,
           layers);
  std::vector<double> values;
  for (const Position& here : rows)
    values.push_back(given.empty()       ? usual.at(here)
                     : given.size() == 1 ? given[0]
                                         : given[static_cast<std::size_t>(here.layer - 1)]);
  return values;
}

std::vector<double> repeated(const std::vector<double>& values, std::int64_t times) {
  std::vector<double> all;
  for (const double value : values) all.insert(all.end(), static_cast<std::size_t>(times), value);
  return all;
}

Variable times(double constant, const Variable& x) { return constant == 1 ? x : scale(constant, x); }

}  // namespace

Residual::Residual(ParameterStore& store, const ResidualOptions& options, const ConnectionGroup& group)
    : form_(row(options.form)),
      group_(group),
      gate_shape_(options.gate_shape.value_or(form_.gate)),
      train_gates_(options.train_gates) {
  check(form_, options);
  group_.first.k = options.branch_k;
  group_.first.p = options.branch_p;
  const std::vector<double> start = starts(options.gate, "gates", form_.gate_start, row_positions());
  for (const double a : start)
    RZ_CHECK(value, form_.gate_function != ScalarFunction::relu || a > 0,
             "residual: a gate of {} starts at {}, where relu(a) has slope 0: it would never move (start above 0)",
             form_.name, a);
  const std::int64_t width = group_.width;
  const std::string gates = group_.prefix + "resweight";
  if (gate_shape_ == GateShape::scalar)
    gates_ = store.declare(gates, {rows()}, Role::residual_weight, init::values(start));
  if (gate_shape_ == GateShape::vector)
    gates_ = store.declare(gates, {rows(), width}, Role::residual_weight, init::values(repeated(start, width)));
  declare_norms(store, options);
  declare_scalars(store, options);
  if (form_.join != Join::highway) return;
  for (std::int64_t l = 0; l < group_.connections; ++l) {
    const double bias = start[static_cast<std::size_t>(row_of(l))];
    transforms_.emplace_back(store, group_.prefix + "transform_layers." + std::to_string(l),
                             LinearOptions{.inputs = width, .outputs = width, .bias_init = init::constant(bias)});
  }
}

void Residual::declare_norms(ParameterStore& store, const ResidualOptions& options) {
  if (group_.own_norms) return;
  const NormOptions inner{.kind = options.norm},
      outer{.kind = options.norm, .gain = options.norm_gain.value_or(form_.norm_gain)};
  for (std::int64_t l = 0; l < (group_.one_layer ? group_.connections : 1); ++l) {
    const std::string name = group_.prefix + (group_.one_layer ? "norm" + std::to_string(l + 1) : "ln");
    if (form_.norm_in) norms_in_.emplace_back(store, name, group_.width, inner);
    const std::string last = form_.norm_in ? name + "_out" : name;
    if (form_.norm_out) norms_out_.emplace_back(store, last, group_.width, outer);
    if (form_.norm_post) norms_post_.emplace_back(store, last, group_.width, outer);
  }
}

void Residual::declare_scalars(ParameterStore& store, const ResidualOptions& options) {
  const Shape shape{rows()};
  const std::vector<Position> positions = row_positions();
  const std::string& prefix = group_.prefix;
  if (form_.learned_scalars) {
    skips_ = store.declare(prefix + "skipweight", shape, Role::residual_weight,
                           init::values(starts(options.skip, "skip scalars", form_.skip, positions)));
    inputs_ = store.declare(prefix + "inputweight", shape, Role::residual_weight,
                            init::values(starts(options.injection, "input scalars", form_.injection, positions)));
  }
  if (form_.scalar_biases) {
    biases_in_ = store.declare(prefix + "bias_in", shape, Role::bias, init::constant(0));
    biases_out_ = store.declare(prefix + "bias_out", shape, Role::bias, init::constant(0));
  }
}

std::vector<Position> Residual::row_positions() const {
  std::vector<Position> positions;
  for (std::int64_t r = 0; r < rows(); ++r) positions.push_back(position(r));
  return positions;
}

Position Residual::position(std::int64_t l) const {
  Position here = group_.first;
  here.connection += l;
  if (!group_.one_layer) here.layer += l;
  return here;
}

// The connection's row of [R] or [R, width], as [1] or [width].
Variable Residual::row_at(const Variable& values, std::int64_t l) const {
  const Variable row = slice(values, 0, row_of(l), 1);
  return values.shape().rank() == 1 ? row : reshape(row, {values.shape()[1]});
}

const Norm& Residual::norm_at(const std::vector<Norm>& norms, std::int64_t l) const {
  return norms[group_.one_layer ? static_cast<std::size_t>(l) : 0];
}

Variable Residual::before(const Variable& x, std::int64_t l) const {
  const Variable z = times(form_.input.at(position(l)), norms_in_.empty() ? x : norm_at(norms_in_, l).forward(x));
  return biases_in_.defined() ? add(z, row_at(biases_in_, l)) : z;
}

Variable Residual::gates_variable() const { return train_gates_ ? gates_.variable() : Variable(gates_.value()); }

bool Residual::is_gated_sum() const {
  const auto is_1 = [](const Constant& c) { return c.text == "1"; };
  const bool bare = !form_.has_norm() && !biases_in_.defined() && !skips_.defined();
  return !probe && bare && form_.join == Join::sum && gate_shape_ == GateShape::scalar &&
         form_.gate_function == ScalarFunction::identity && is_1(form_.skip) && is_1(form_.branch) && is_1(form_.input);
}

Variable Residual::gate(std::int64_t l) const {
  const Variable a = row_at(gates_variable(), l);
  return form_.gate_function == ScalarFunction::identity ? a : scalar(form_.gate_function, a);
}

Variable Residual::skipped(const Variable& x, const Variable& x_0, std::int64_t l) const {
  if (skips_.defined()) return add(multiply(x, row_at(skips_, l)), multiply(x_0, row_at(inputs_, l)));
  const double s = form_.skip.at(position(l));
  return s == 0 ? Variable() : times(s, x);
}

Variable Residual::joined(const Variable& x, const Variable& x_0, const Variable& f, std::int64_t l) const {
  if (form_.join == Join::highway) {
    const Variable t = transforms_[static_cast<std::size_t>(l)].forward(x, ScalarFunction::sigmoid);
    return add(x, multiply(t, subtract(f, x)));
  }
  if (form_.join == Join::convex) return add(x, multiply(subtract(f, x), gate(l)));
  const Variable skip = skipped(x, x_0, l), branch = times(form_.branch.at(position(l)), f);
  if (!gates_.defined()) return skip.defined() ? add(skip, branch) : branch;
  if (gate_shape_ == GateShape::scalar && form_.gate_function == ScalarFunction::identity)
    return residual_add(skip, branch, gates_variable(), row_of(l));
  return add(skip, multiply(branch, gate(l)));
}

Variable Residual::join(const Variable& x, const Variable& x_0, const Variable& z, const Variable& f,
                        std::int64_t l) const {
  const Variable branch = norms_out_.empty() ? f : norm_at(norms_out_, l).forward(f);
  Variable y = joined(x, x_0, branch, l);
  if (biases_out_.defined()) y = add(y, row_at(biases_out_, l));
  if (!norms_post_.empty()) y = norm_at(norms_post_, l).forward(y);
  if (probe) probe->report_({position(l).connection - 1, x.value(), z.value(), f.value(), branch.value(), y.value()});
  return y;
}

std::string formula_text(const ResidualOptions& options) {
  const FormRow& form = row(options.form);
  std::string formula(form.formula);
  const std::vector<double>& gate = options.gate;
  const std::string_view name = form.join == Join::highway ? "b_T = " : "a = ";
  if (!gate.empty()) {
    const std::string start = gate.size() > 1 ? "as given" : fmt::format("{:g}", gate[0]);
    const std::size_t at = formula.find(", " + std::string(name));
    formula = formula.substr(0, at) + ", " + std::string(name) + start +
              (at == std::string::npos ? "" : formula.substr(std::min(formula.find(',', at + 2), formula.size())));
  }
  const std::string_view gain = "gain = 0";
  if (const std::size_t at = formula.find(gain); at != std::string::npos && options.norm_gain)
    formula.replace(at, gain.size(), fmt::format("gain = {:g}", *options.norm_gain));
  return formula;
}

ResidualProbe::ResidualProbe(Report report) : report_(std::move(report)), outer_(probe) { probe = this; }
ResidualProbe::~ResidualProbe() { probe = outer_; }

}  // namespace rz::nn
