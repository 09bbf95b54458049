// The gated residual of ReZero: one, and a stack of fully connected layers.

#include <algorithm>
#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "autograd/ops/lift.h"
#include "autograd/record.h"
#include "core/ops.h"
#include "core/precision.h"

namespace rz {

// y = x + g f,   g = gates[index].   gates: [depth]
//   d_x = d_y (handed on),   d_f = g d_y,   d_gates[index] = <d_y, f>
//   t_y = t_x + g t_f + t_g f
Variable residual_add(const Variable& x, const Variable& f, const Variable& gates, std::int64_t index) {
  Tensor value = ops::residual_add(x.value(), f.value(), gates.value(), index);
  const Shape y = value.shape();
  return record(
      "residual_add", {x, f, gates}, std::move(value),
      [f = f.value(), gates = gates.value(), index](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) d.pass(0, d_y);
        Destination d_f = d.wanted(1) ? d.destination(1) : Destination{};
        if (d.same(1, 2)) ops::residual_add_vjp(f, gates, index, d_y, std::exchange(d_f, {}), {});
        const Destination d_gates = d.wanted(2) ? d.accumulator(2) : Destination{};
        if (d.wanted(1) || d.wanted(2)) ops::residual_add_vjp(f, gates, index, d_y, d_f, d_gates);
      },
      [y, index](const Primals& p, const Tangents& t) -> Variable {
        const bool both = t.has(0) && t.has(1);  // one pass: t_x + g t_f is the operation itself
        return Sum()
            .add(both, [&] { return residual_add(t[0], t[1], p[2], index); })
            .add(t.has(0) && !both, [&] { return t[0]; })
            .add(t.has(1) && !both, [&] { return multiply(slice(p[2], 0, index, 1), t[1]); })
            .add(t.has(2), [&] {
              const Variable t_g = reshape(slice(t[2], 1, index, 1), {t.count()});  // [k]: of a number
              return multiply(align_tangent(t_g, y), p[1]);
            });
      });
}

namespace {

// The tensors of a stack, as its rule keeps them.
struct KeptStack {
  std::vector<Tensor> weights, biases;
  Tensor gates;
  Scalar f;
  ops::ResidualStackTensors tensors() const { return {weights, biases, gates, f}; }
};

std::vector<Tensor> values(std::span<const Variable> variables) {
  std::vector<Tensor> all;
  all.reserve(variables.size());
  for (const Variable& v : variables) all.push_back(v.value());
  return all;
}

Variable layer_by_layer(const Variable& x, std::span<const Variable> weights, std::span<const Variable> biases,
                        const Variable& gates, Scalar f) {
  Variable h = x;
  for (std::size_t l = 0; l < weights.size(); ++l)
    h = residual_add(h, linear(h, weights[l], biases[l], f), gates, static_cast<std::int64_t>(l));
  return h;
}

// Gradients of layers are written side by side, so each needs a destination of its own.
bool all_differ(std::span<const Variable* const> inputs) {
  std::vector<const void*> data;
  data.reserve(inputs.size());
  for (const Variable* v : inputs) data.push_back(v->value().raw());
  std::ranges::sort(data);
  return std::ranges::adjacent_find(data) == data.end();
}

// The tangents of an x of one row as a matrix [k, width]; undefined for other x.
Tensor tangent_rows(const Variable& x) {
  const Shape& shape = x.shape();
  if (!x.tangent() || shape.rank() != 2 || shape[0] != 1) return {};
  const Tensor t = x.tangent()->value();
  return t.reshape({t.shape()[0], shape[1]});
}

}  // namespace

bool fuses_residual_stack(const Variable& x) {
  if (operations_watched()) return false;
  if (!x.tangent()) return Tape::active() && ops::fuses_residual_stack(x.value());
  const Tensor rows = tangent_rows(x);
  return !Tape::active() && rows.defined() && ops::fuses_residual_stack(rows);
}

//   d_z_l = f'(z_l) g_l d_{l+1},   d_l = d_{l+1} + d_z_l W_l,   d_W_l = d_z_l^T x_l,   d_b_l = sum of d_z_l over rows,
//   d_gates[l] = <d_{l+1}, f(z_l)>;   t_{l+1} = t_l + g_l f'(z_l) t_l W_l^T
Variable residual_stack(const Variable& x, std::span<const Variable> weights, std::span<const Variable> biases,
                        const Variable& gates, Scalar f) {
  std::vector<const Variable*> inputs;
  inputs.reserve(2 + weights.size() + biases.size());
  inputs.push_back(&x);
  inputs.push_back(&gates);
  for (const Variable& v : weights) inputs.push_back(&v);
  for (const Variable& v : biases) inputs.push_back(&v);
  const bool tangents = x.tangent() != nullptr;
  const std::span<const Variable* const> constants = std::span(inputs).subspan(1);
  if (!fuses_residual_stack(x) || detail::has_tangent(constants) ||
      (!tangents && (!detail::wants_rule(inputs) || !all_differ(inputs))))
    return layer_by_layer(x, weights, biases, gates, f);
  KeptStack stack{values(weights), values(biases), gates.value(), f};
  if (tangents) {
    const auto [y, t_y] = ops::residual_stack_jvp(stack.tensors(), x.value(), tangent_rows(x));
    return detail::attach_tangent(Variable(y), Variable(t_y.reshape(x.tangent()->shape())));
  }
  ops::ResidualStackForward forward = ops::residual_stack(stack.tensors(), x.value());
  return record(
      {"residual_stack", &f}, inputs, forward.y,
      [stack = std::move(stack), kept = forward.kept, precision = product_precision()](const Tensor& d_y,
                                                                                       Gradients& d) {
        const ProductPrecisionScope same(precision, d_y.device());
        const auto layers = static_cast<int>(stack.weights.size());
        const auto wanted = [&d](int input) { return d.wanted(input) ? d.destination(input) : Destination{}; };
        std::vector<Destination> d_weights, d_biases;
        d_weights.reserve(stack.weights.size());
        d_biases.reserve(stack.biases.size());
        for (int l = 0; l < layers; ++l) d_weights.push_back(wanted(2 + l));
        for (int l = 0; l < layers; ++l) d_biases.push_back(wanted(2 + layers + l));
        ops::residual_stack_vjp(stack.tensors(), kept, d_y,
                                {wanted(0), d_weights, d_biases, d.wanted(1) ? d.accumulator(1) : Destination{}});
      },
      [](const Primals&, const Tangents&) { return Variable(); });
}

}  // namespace rz
