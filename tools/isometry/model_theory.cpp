#include "tools/isometry/model_theory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/models/fully_connected.h"

namespace rz::isometry {
namespace {

using nn::FormRow;
using nn::FullyConnectedOptions;
using nn::GateShape;
using nn::Join;

// deep, and x + g F(c x) without norms and further terms: with c, only where f(c x) = c f(x).
bool has_law(const FormRow& form) {
  return form.join == Join::sum && !form.has_norm() && !form.learned_scalars &&
         (form.skip.at({}) == 1 || form.form == nn::Form::deep);
}

std::string forms_with_law() {
  std::string names;
  for (const FormRow& form : nn::forms())
    if (has_law(form)) names += (names.empty() ? "" : ", ") + std::string(form.name);
  return names;
}

// Standard deviation of weights times sqrt(fan_in), as of square matrices; none for the identity.
std::optional<double> sigma_w_of(const FullyConnectedOptions& o) {
  const std::string_view init = o.init;
  if (init == "authors") return o.residual.form == nn::Form::residual ? 0.5 : std::sqrt(2.0);
  if (init == "identity") return {};
  return o.sigma_w.value_or(init.starts_with("kaiming") ? std::sqrt(2.0) : 1.0);
}

double sigma_b_of(const FullyConnectedOptions& o) {
  if (o.sigma_b) return *o.sigma_b;
  return o.init == "authors" ? 1 / std::sqrt(3.0 * static_cast<double>(o.width)) : 0.0;  // uniform(+-1/sqrt(width))
}

// g of a layer with everything that stands before F.
double gate_at(const FormRow& form, const nn::Position& position, double gate) {
  const double learned = form.gated() ? evaluate(form.gate_function, 0, gate) : 1.0;
  return form.zero_last ? 0.0 : form.branch.at(position) * form.input.at(position) * learned;
}

// One number per layer, in the model's order; empty where a layer's gates differ from each other.
std::vector<double> gates_of(const nn::FullyConnected& model, const Part& part) {
  const FullyConnectedOptions& o = model.options();
  const FormRow& form = nn::row(o.residual.form);
  std::vector<double> values = nn::gate_values(model);
  if (values.empty()) values.assign(static_cast<std::size_t>(o.depth), 1.0);
  const std::size_t each = values.size() / static_cast<std::size_t>(o.depth);
  std::vector<double> gates;
  for (std::int64_t l = part.from; l < part.to; ++l) {
    const auto first = values.begin() + l * static_cast<std::int64_t>(each);
    if (std::any_of(first, first + static_cast<std::int64_t>(each), [&](double g) { return g != *first; })) return {};
    const nn::Position position{.layer = l + 1,
                                .layers = o.depth,
                                .sublayers = o.depth,
                                .matrices = 1,
                                .k = o.residual.branch_k,
                                .p = o.residual.branch_p};
    gates.push_back(gate_at(form, position, *first));
  }
  return gates;
}

ModelTheory none(std::string reason) { return {{}, std::move(reason)}; }

}  // namespace

ModelTheory model_theory(const nn::Model& model, const Part& part, const Tensor& inputs) {
  const auto* const fc = dynamic_cast<const nn::FullyConnected*>(&model);
  if (!fc) return none("there is a theory of fully connected networks only");
  if (part.of != "stack") return none("there is a theory of the stack only, not of the network");
  const FullyConnectedOptions& o = fc->options();
  const FormRow& form = nn::row(o.residual.form);
  if (!has_law(form))
    return none(fmt::format("the form {} has no theory (those that have one: {})", form.name, forms_with_law()));
  RandomNet net{.activation = o.activation, .depth = part.to - part.from};
  const std::vector<double> x = input_of(part, inputs).to_vector();
  const double n = static_cast<double>(x.size());
  net.q_0 = std::inner_product(x.begin(), x.end(), x.begin(), 0.0) / n;
  net.mean_0 = std::accumulate(x.begin(), x.end(), 0.0) / n;
  if (form.input.text != "1" && !is_homogeneous(net.activation))
    return none(fmt::format("the form {} scales the input of {}, which is no multiple of the scaled output", form.name,
                            info(o.activation.function).name));
  const std::optional<double> sigma_w = sigma_w_of(o);
  if (!sigma_w)
    return none(fmt::format(
        "weights by init = {} are no random matrices (the form {}; those with a theory of random weights: {})", o.init,
        form.name, forms_with_law()));
  net.sigma_w = *sigma_w * form.weight.at({.layers = o.depth, .sublayers = o.depth});
  net.sigma_b = sigma_b_of(o);
  const bool haar = o.init == "orthogonal" || (o.init == "mean_field" && o.weights == "orthogonal");
  net.weights = haar ? Weights::orthogonal : Weights::gaussian;
  net.order = o.branch;
  if (form.form == nn::Form::deep) return {net, ""};
  net.gates = gates_of(*fc, part);
  if (net.gates.empty()) return none("the gates of a layer differ from each other");
  return {net, ""};
}

}  // namespace rz::isometry
