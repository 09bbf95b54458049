#include "nn/transformer.h"

#include <cmath>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/error.h"
#include "nn/init.h"

namespace rz::nn {

namespace {

constexpr std::int64_t matrices_of_branch = 2;  // in series: value and output projection, or the two of feed-forward

Initializer matrix_init(const TransformerOptions& o, const Shape& shape) {
  return o.init == "authors" ? init::named("xavier_uniform", shape) : init::named(o.init, shape, o.gain);
}

// Of the branch's last matrix, and of those before it.
Initializer last_init(const TransformerOptions& o, const Shape& shape, const Position& at) {
  const FormRow& form = row(o.residual.form);
  return form.zero_last ? init::constant(0) : init::scaled(matrix_init(o, shape), form.weight.at(at));
}
Initializer inner_init(const TransformerOptions& o, const Shape& shape, const Position& at) {
  return init::scaled(matrix_init(o, shape), row(o.residual.form).weight.at(at));
}

MultiheadAttentionOptions attention_options(const TransformerOptions& o, const Position& at) {
  const FormRow& form = row(o.residual.form);
  MultiheadAttentionOptions a{
      .d_model = o.d_model, .heads = o.heads, .bias = !form.scalar_biases, .dropout = o.dropout};
  const Shape square{o.d_model, o.d_model};
  // The three of in_proj_weight are drawn as one matrix [3 d, d] in the authors' way, as three in others.
  const double bound = std::sqrt(6.0 / (4.0 * static_cast<double>(o.d_model)));
  a.query_init = a.key_init = o.init == "authors" ? init::uniform(bound) : matrix_init(o, square);
  a.value_init = init::scaled(a.query_init, form.value_factor);
  a.out_init = form.zero_last ? init::constant(0) : matrix_init(o, square);
  a.beta = form.weight.at(at);
  return a;
}

LinearOptions linear_options(const TransformerOptions& o, std::int64_t inputs, std::int64_t outputs, bool last,
                             const Position& at) {
  const FormRow& form = row(o.residual.form);
  const Shape shape{outputs, inputs};
  LinearOptions linear{.inputs = inputs, .outputs = outputs, .bias = !form.scalar_biases};
  linear.weight_init = last ? last_init(o, shape, at) : inner_init(o, shape, at);
  if (o.init != "authors" || (last && form.zero_last)) linear.bias_init = init::constant(0);
  return linear;
}

Variable attended_to_self(const MultiheadAttention& attention, const Variable& x, const TransformerInputs& in) {
  return in.caches.empty() ? attention.forward(x, in.self) : attention.forward(x, in.caches.front());
}

// A sub-layer under its name.
template <class Branch>
Variable joined(const Residual& residual, const char* name, const Variable& x, const Variable& x_0, std::int64_t l,
                Branch&& branch) {
  const Scope scope(name);
  return residual(x, x_0, l, branch);
}

ConnectionGroup sublayers(const std::string& prefix, const TransformerOptions& o, std::int64_t connections,
                          const Position& first) {
  return {.connections = connections,
          .width = o.d_model,
          .first = first,
          .one_layer = true,
          .one_gate = o.gates == GateScope::layer,
          .prefix = prefix};
}

}  // namespace

GateScope gate_scope_named(std::string_view name) {
  if (name == "layer") return GateScope::layer;
  if (name == "sublayer") return GateScope::sublayer;
  RZ_FAIL(value, "gates: {} is neither layer nor sublayer", name);
}

void check(const TransformerOptions& o) {
  RZ_CHECK(value, o.layers >= 1 && o.d_model >= 1 && o.feed_forward >= 1,
           "transformer: {} layers, d_model {} and feed_forward {} were given, but each must be at least 1", o.layers,
           o.d_model, o.feed_forward);
  RZ_CHECK(value, o.init == "authors" ? !o.gain.has_value() : o.init != "mean_field", "transformer: init = {} {}",
           o.init,
           o.init == "authors" ? "has gains of its own (sigma_w belongs to another init)"
                               : "is of fully connected networks (choose authors or an initialiser by name)");
}

FeedForward::FeedForward(ParameterStore& store, const std::string& prefix, const TransformerOptions& o,
                         const Position& position)
    : activation_(o.activation),
      linear1_(store, prefix + "linear1", linear_options(o, o.d_model, o.feed_forward, false, position)),
      linear2_(store, prefix + "linear2", linear_options(o, o.feed_forward, o.d_model, true, position)),
      dropout_(prefix + "dropout", o.dropout) {}

Variable FeedForward::forward(const Variable& x, const DropoutSource& source) const {
  return linear2_.forward(dropout_.forward(linear1_.forward(x, activation_), source));
}

TransformerEncoderLayer::TransformerEncoderLayer(ParameterStore& store, const std::string& prefix,
                                                 const TransformerOptions& o, const Position& first)
    : self_attention_(store, prefix + "self_attn", attention_options(o, first)),
      feed_forward_(store, prefix, o, first),
      dropout1_(prefix + "dropout1", o.dropout),
      dropout2_(prefix + "dropout2", o.dropout),
      residual_(store, o.residual, sublayers(prefix, o, 2, first)) {}

Variable TransformerEncoderLayer::forward(const Variable& x, const Variable& x_0, const TransformerInputs& in) const {
  const Variable attended = joined(residual_, "self_attn", x, x_0, 0, [&](const Variable& z) {
    return dropout1_.forward(attended_to_self(self_attention_, z, in), in.dropout);
  });
  return joined(residual_, "linear2", attended, x_0, 1,
                [&](const Variable& z) { return dropout2_.forward(feed_forward_.forward(z, in.dropout), in.dropout); });
}

TransformerDecoderLayer::TransformerDecoderLayer(ParameterStore& store, const std::string& prefix,
                                                 const TransformerOptions& o, const Position& first)
    : self_attention_(store, prefix + "self_attn", attention_options(o, first)),
      cross_attention_(store, prefix + "multihead_attn", attention_options(o, first)),
      feed_forward_(store, prefix, o, first),
      dropout1_(prefix + "dropout1", o.dropout),
      dropout2_(prefix + "dropout2", o.dropout),
      dropout3_(prefix + "dropout3", o.dropout),
      residual_(store, o.residual, sublayers(prefix, o, 3, first)) {}

Variable TransformerDecoderLayer::forward(const Variable& x, const Variable& x_0, const TransformerInputs& in) const {
  RZ_CHECK(value, in.memory.defined(), "decoder: x {} was given without the memory that it attends to", x.shape());
  const Variable attended = joined(residual_, "self_attn", x, x_0, 0, [&](const Variable& z) {
    return dropout1_.forward(attended_to_self(self_attention_, z, in), in.dropout);
  });
  const Variable crossed = joined(residual_, "multihead_attn", attended, x_0, 1, [&](const Variable& z) {
    return dropout2_.forward(cross_attention_.forward(z, in.memory, in.cross), in.dropout);
  });
  return joined(residual_, "linear2", crossed, x_0, 2,
                [&](const Variable& z) { return dropout3_.forward(feed_forward_.forward(z, in.dropout), in.dropout); });
}

template <class Layer>
TransformerStack<Layer>::TransformerStack(ParameterStore& store, const std::string& prefix, const TransformerOptions& o,
                                          bool decoder) {
  check(o);
  constexpr std::int64_t connections = std::is_same_v<Layer, TransformerDecoderLayer> ? 3 : 2;
  Position at{
      .layers = o.layers, .sublayers = connections * o.layers, .matrices = matrices_of_branch, .decoder = decoder};
  layers_.reserve(static_cast<std::size_t>(o.layers));
  for (; at.layer <= o.layers; ++at.layer, at.connection += connections)
    layers_.emplace_back(store, prefix + "layers." + std::to_string(at.layer - 1) + ".", o, at);
  if (o.final_norm)
    norm_ = std::make_unique<Norm>(store, prefix + "norm", o.d_model, NormOptions{.kind = o.residual.norm});
}

template <class Layer>
Variable TransformerStack<Layer>::layer(const Variable& x, const Variable& x_0, std::int64_t i,
                                        const TransformerInputs& inputs) const {
  const Scope scope("layers", i);
  const auto index = static_cast<std::size_t>(i);
  if (inputs.caches.empty()) return layers_[index].forward(x, x_0, inputs);
  TransformerInputs own = inputs;
  own.caches = inputs.caches.subspan(index, 1);
  return layers_[index].forward(x, x_0, own);
}

template <class Layer>
Variable TransformerStack<Layer>::run(const Variable& x, const TransformerInputs& inputs) const {
  Variable h = x;
  for (std::int64_t i = 0; i < size(); ++i) h = layer(h, x, i, inputs);
  return h;
}

template <class Layer>
std::vector<Parameter> TransformerStack<Layer>::residual_weights() const {
  std::vector<Parameter> all;
  for (const Layer& layer : layers_)
    if (layer.residual().gates().defined()) all.push_back(layer.residual().gates());
  return all;
}

template <class Layer>
std::string TransformerStack<Layer>::constants(const ResidualOptions& options) const {
  return constants_text(options.form, layers_.front().residual().position(0), options.skip, options.injection);
}

template class TransformerStack<TransformerEncoderLayer>;
template class TransformerStack<TransformerDecoderLayer>;

}  // namespace rz::nn
