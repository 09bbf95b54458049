// An encoder-decoder (Vaswani et al. 2017) from token sequences to token sequences of one vocabulary. Parameters:
// embedding.weight [vocabulary, d], positions.pe [positions, 1, d], encoder.layers.{i}.*, decoder.layers.{i}.* (and
// norm.* after each), output.{weight,bias}.
#pragma once

#include <string>
#include <vector>

#include "nn/models/transformer.h"
#include "nn/token_embedding.h"

namespace rz::nn {

struct Seq2SeqOptions {
  TransformerOptions transformer{};  // of encoder and decoder alike
  std::int64_t vocabulary = 12;
  std::int64_t source = 20, target = 20;  // tokens of one example
  PositionKind positions = PositionKind::sinusoidal;
  bool tie_weights = false;  // the output's matrix is the embedding's
};

class Seq2Seq : public Model {
 public:
  explicit Seq2Seq(const Seq2SeqOptions& options);  // Throws: value
  // x i64 [batch, source + target]: a source, then the target's tokens before each that is to be predicted, from the
  // start token on -> logits [batch, target, vocabulary].
  Variable forward(const Variable& x) const override;
  Variable encode(const Variable& source) const;  // i64 [batch, source] -> memory [batch, source, d]
  Variable decode(const Variable& target, const Variable& memory) const;  // i64 [batch, any] -> logits
  Stages stages() const override;  // those of the encoder; the output is the memory
  std::string formula() const override { return formula_text(options_.transformer.residual); }
  std::string constants() const override { return encoder_.constants(options_.transformer.residual); }
  Shape input_shape() const override { return {options_.source + options_.target}; }
  Shape state_shape() const override { return {options_.source, options_.transformer.d_model}; }
  DType input_type() const override { return DType::i64; }
  std::int64_t outputs() const override { return options_.vocabulary; }
  std::vector<Parameter> residual_weights() const override;
  const Seq2SeqOptions& options() const { return options_; }

 private:
  TransformerInputs inputs() const;
  Seq2SeqOptions options_;
  TokenEmbedding embedding_;
  TransformerEncoder encoder_;
  TransformerDecoder decoder_;
  Parameter output_weight_, output_bias_;
};

}  // namespace rz::nn
