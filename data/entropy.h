// Entropy of a stream of tokens, in bits per token: what a model would reach that knows the counts of single tokens, or
// of pairs, and nothing else.
#pragma once

#include <cstdint>
#include <span>

namespace rz {

double unigram_entropy(std::span<const std::uint16_t> tokens);  // H(X) = -sum p(x) log2 p(x); 0 for none
double bigram_entropy(std::span<const std::uint16_t> tokens);   // H(Y | X) of a token after the one before it

}  // namespace rz
