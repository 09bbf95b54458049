// How strongly each token's output depends on each token's input: the blocks of a Jacobian whose rows and columns come
// token by token.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace rz::isometry {

// Over samples, the root mean square of ||J_ij||_F / sqrt(d): how long a random direction of length 1 at input token j,
// of d numbers, is on average at output token i. Of the identity it is the identity.
class BlockNorms {
 public:
  explicit BlockNorms(std::int64_t tokens) : tokens_(tokens) {}
  void add(const Tensor& jacobian);   // [tokens r, tokens d], f32 or f64.   Throws: shape
  std::vector<double> norms() const;  // [tokens, tokens], output by input; NaN before the first sample
  std::int64_t tokens() const { return tokens_; }

 private:
  std::int64_t tokens_, samples_ = 0;
  std::vector<double> squares_ = std::vector<double>(static_cast<std::size_t>(tokens_ * tokens_), 0);
};

}  // namespace rz::isometry
