// From tokens to the first hidden state of a Transformer: sqrt(d) E[token] + P[position], then dropout.
// Vaswani et al. 2017 (1706.03762), 3.4 and 3.5.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "nn/dropout.h"

namespace rz::nn {

enum class PositionKind : std::uint8_t { sinusoidal, learned };
PositionKind position_kind_named(std::string_view name);  // Throws: value

struct TokenEmbeddingOptions {
  std::int64_t vocabulary = 256;
  std::int64_t positions = 128;  // the longest sequence
  std::int64_t d_model = 512;
  PositionKind kind = PositionKind::sinusoidal;
  double dropout = 0;
  Initializer init{};                                                             // default: uniform in +-0.1
  std::string weight_name = "encoder.weight", positions_name = "pos_encoder.pe";  // [vocabulary, d], [positions, 1, d]
};

// The positions are a buffer (sinusoidal) or learned, then drawn from N(0, 0.02^2) as in GPT-2.
class TokenEmbedding {
 public:
  TokenEmbedding(ParameterStore& store, const TokenEmbeddingOptions& options);  // Throws: value
  // tokens i64 [batch, tokens] -> [batch, tokens, d].   Throws: shape (more tokens than positions)
  Variable forward(const Variable& tokens, const DropoutSource& source, std::int64_t first_position = 0) const;
  const Parameter& weight() const { return weight_; }

 private:
  Parameter weight_, positions_;
  Dropout dropout_;
};

}  // namespace rz::nn
