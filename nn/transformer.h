// Layers of Transformers (Vaswani et al. 2017), their sub-layers joined by a residual form of nn/forms.h. x is
// [batch, tokens, d_model]. Parameters of layer i, named as in PyTorch and in the authors' package (ReZero,
// 2003.04887):
//   PREFIXlayers.{i}.self_attn.{in_proj_weight,in_proj_bias,out_proj.weight,out_proj.bias}    multihead_attn.* of
//   decoders PREFIXlayers.{i}.linear1.*, linear2.*         resweight [1] (gates = layer) or [sub-layers]     norm1.*,
//   norm2.*, ...
// and of a final norm PREFIXnorm.*; those of single forms: nn/residual.h.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nn/attention.h"
#include "nn/dropout.h"
#include "nn/linear.h"
#include "nn/residual.h"

namespace rz::nn {

enum class GateScope : std::uint8_t { layer, sublayer };  // one gate for all sub-layers of a layer, or one for each
GateScope gate_scope_named(std::string_view name);        // Throws: value

struct TransformerOptions {
  std::int64_t layers = 12;
  std::int64_t d_model = 512;
  std::int64_t heads = 8;
  std::int64_t feed_forward = 2048;
  Scalar activation = ScalarFunction::relu;
  double dropout = 0;  // of attention's weights, inside the feed-forward part, and of each branch
  ResidualOptions residual{};
  GateScope gates = GateScope::layer;
  bool final_norm = false;  // a norm of the form's kind after the last layer
  // "authors": every matrix Xavier uniform (the notebook's), biases of the attention 0, those of the feed-forward part
  // uniform(+-1/sqrt(fan_in)). Another name (nn/init.h): matrices by it, with `gain` if given, and biases 0.
  std::string init = "authors";
  std::optional<double> gain{};
};
// Throws: value (an extent below 1, heads that do not divide d_model)
void check(const TransformerOptions& options);

// What layers are given beside x; tensors may be undefined.
struct TransformerInputs {
  AttentionCall self{};   // masks [tokens, tokens] and [batch, tokens]
  AttentionCall cross{};  // to memory: masks [tokens, keys] and [batch, keys]
  Variable memory{};      // [batch, keys, d_model], of decoders
  DropoutSource dropout{};
  // Of the next tokens of one sequence: self-attention sees the tokens that it holds, too, and adds these; one per
  // layer.
  std::span<KeyValueCache> caches{};
};

// The feed-forward part: W_2 dropout(f(W_1 x + b_1)) + b_2.
class FeedForward {
 public:
  FeedForward(ParameterStore& store, const std::string& prefix, const TransformerOptions& options,
              const Position& position);
  Variable forward(const Variable& x, const DropoutSource& source) const;

 private:
  Scalar activation_;
  Linear linear1_, linear2_;
  Dropout dropout_;
};

// x after self-attention and feed-forward part. Sub-layers are joined in this order, each followed by dropout.
class TransformerEncoderLayer {
 public:
  // `first`: of the layer's first connection; sub-layers, layers and matrices are those of the stack.
  TransformerEncoderLayer(ParameterStore& store, const std::string& prefix, const TransformerOptions& options,
                          const Position& first);
  // x_0: the stack's input.
  Variable forward(const Variable& x, const Variable& x_0, const TransformerInputs& inputs) const;
  const Residual& residual() const { return residual_; }

 private:
  MultiheadAttention self_attention_;
  FeedForward feed_forward_;
  Dropout dropout1_, dropout2_;
  Residual residual_;
};

// The same with attention to `memory` between the two.
class TransformerDecoderLayer {
 public:
  TransformerDecoderLayer(ParameterStore& store, const std::string& prefix, const TransformerOptions& options,
                          const Position& first);
  // Throws: value (no memory)
  Variable forward(const Variable& x, const Variable& x_0, const TransformerInputs& inputs) const;
  const Residual& residual() const { return residual_; }

 private:
  MultiheadAttention self_attention_, cross_attention_;
  FeedForward feed_forward_;
  Dropout dropout1_, dropout2_, dropout3_;
  Residual residual_;
};

// `layers` of them, and the final norm if there is one.
template <class Layer>
class TransformerStack {
 public:
  // `prefix`: of all names, "transformer_encoder.". `decoder`: of an encoder-decoder (some forms start it differently).
  TransformerStack(ParameterStore& store, const std::string& prefix, const TransformerOptions& options,
                   bool decoder = false);
  Variable forward(const Variable& x, const TransformerInputs& inputs) const { return finish(run(x, inputs)); }
  Variable run(const Variable& x, const TransformerInputs& inputs) const;  // without the final norm
  Variable layer(const Variable& x, const Variable& x_0, std::int64_t i, const TransformerInputs& inputs) const;
  Variable finish(const Variable& x) const { return norm_ ? norm_->forward(x) : x; }
  bool is_chain() const { return !layers_.front().residual().injects(); }
  std::int64_t size() const { return std::ssize(layers_); }
  std::vector<Parameter> residual_weights() const;
  std::string constants(const ResidualOptions& options) const;

 private:
  std::vector<Layer> layers_;
  std::unique_ptr<Norm> norm_;
};
using TransformerEncoder = TransformerStack<TransformerEncoderLayer>;
using TransformerDecoder = TransformerStack<TransformerDecoderLayer>;
extern template class TransformerStack<TransformerEncoderLayer>;
extern template class TransformerStack<TransformerDecoderLayer>;

}  // namespace rz::nn
