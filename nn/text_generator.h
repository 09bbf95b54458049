// Text from a language model, token by token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "nn/models/char_transformer.h"

namespace rz::nn {

// Which tokens may come next, and how likely: softmax(logits / temperature) over the `top_k` largest logits (Fan et al.
// 2018, 1805.04833), of those over the fewest whose probabilities reach `top_p` (Holtzman et al. 2020, 1904.09751).
struct SamplingOptions {
  double temperature = 1;  // 0: the largest logit, the first of equals
  std::int64_t top_k = 0;  // 0: all
  double top_p = 1;        // (0, 1]
};
void check(const SamplingOptions& options);  // Throws: value

// A token drawn in this way; one call of random.uniform().   Throws: value (a logit is not finite)
std::int64_t draw_token(std::span<const double> logits, const SamplingOptions& options, Random& random);

// Continues one sequence. Keys and values of what was read are kept. When the model's positions are used up, the last
// tokens, half as many as it has positions, are read again from position 0, and what came before is forgotten.
class TextGenerator {
 public:
  // Tokens come from the first `vocabulary` entries. The model must outlive the generator.   Throws: value
  TextGenerator(const CharTransformer& model, std::int64_t vocabulary, const SamplingOptions& options, Random random);
  // Tokens to go on from, at least one before the first next().
  void read(std::span<const std::int64_t> tokens);  // Throws: value (the network's outputs are not finite)
  std::int64_t next();                              // draws a token, and goes on from it.   Throws: as draw_token

 private:
  void feed(std::span<const std::int64_t> tokens);
  const CharTransformer& model_;
  std::int64_t vocabulary_;
  SamplingOptions options_;
  Random random_;
  std::vector<KeyValueCache> caches_;
  std::vector<std::int64_t> context_;  // the tokens that the caches stand for
  std::vector<double> logits_;         // of what follows them
};

}  // namespace rz::nn
