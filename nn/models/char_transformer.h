// The language model of the paper: token embedding, a causal stack of encoder layers, logits. Parameters, named as in
// the authors' notebook: encoder.weight, pos_encoder.pe, transformer_encoder.layers.{i}.*, transformer_encoder.norm.*,
// decoder.weight [vocabulary, d], decoder.bias [vocabulary].
#pragma once

#include <span>
#include <string>
#include <vector>

#include "nn/models/transformer.h"
#include "nn/token_embedding.h"

namespace rz::nn {

struct CharTransformerOptions {
  TransformerOptions transformer{};
  std::int64_t vocabulary = 256;
  std::int64_t context = 128;  // positions: the longest sequence
  PositionKind positions = PositionKind::sinusoidal;
  bool tie_weights = false;  // decoder.weight is encoder.weight
};

class CharTransformer : public TransformerModel {
 public:
  explicit CharTransformer(const CharTransformerOptions& options);  // Throws: value
  // tokens i64 [batch, tokens] -> logits [batch, tokens, vocabulary].   Throws: shape (more tokens than positions)
  Variable forward(const Variable& tokens) const override;
  // One sequence in pieces: the next tokens i64 [1, tokens] -> their logits [1, tokens, vocabulary], as forward gives
  // them for the whole. The caches hold the keys and values of the tokens before, and take in these. Values only.
  // Throws: shape (more tokens than positions)
  Variable forward(const Variable& tokens, std::span<KeyValueCache> caches) const;
  std::vector<KeyValueCache> caches() const;  // empty ones, one per layer
  Stages stages() const override;             // `input` makes the first hidden state [batch, tokens, d] of tokens
  std::string formula() const override { return formula_text(options_.transformer.residual); }
  std::string constants() const override { return stack_.constants(options_.transformer.residual); }
  Shape input_shape() const override { return {options_.context}; }
  Shape state_shape() const override { return {options_.context, options_.transformer.d_model}; }
  DType input_type() const override { return DType::i64; }
  std::int64_t outputs() const override { return options_.vocabulary; }
  std::vector<Parameter> residual_weights() const override { return stack_.residual_weights(); }
  const CharTransformerOptions& options() const { return options_; }

 private:
  TransformerInputs causal_inputs(const Variable& x) const;
  Variable hidden(const Variable& x) const;  // the last state from the first
  Variable logits(const Variable& x) const;
  CharTransformerOptions options_;
  TokenEmbedding embedding_;
  TransformerEncoder stack_;
  Parameter output_weight_, output_bias_;
};

}  // namespace rz::nn
