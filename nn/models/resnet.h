// The ResNets of He et al. for CIFAR (2015, 1512.03385, section 4.2): a convolution to 16 channels, three stages of n
// blocks with 16, 32 and 64 channels, 6 n + 2 layers. The first blocks of the second and the third stage halve the
// image; their skip takes every second pixel and puts the new channels, all 0, half before and half after the old ones
// (option A). All convolutions are 3 x 3 without bias, each followed by a batch norm:
//   F(x) = BN(conv2(relu(BN(conv1(x))))),   x' = relu(skip(x) + g F(x))            He's block, of
//                                           residual, deep, gated, zero_gamma, zero_projection, fixup
//   F(x) = relu(BN(conv2(relu(BN(conv1(x)))))),   x' = skip(x) + g F(x)            ReZero's block, of all other forms:
//                                           nothing comes after the sum, so that a branch of 0 leaves the identity
// Without norms convolutions have a bias, but for fixup, which has numbers b in its place: relu(conv(x + b_in) + b1b)
// and so on (Zhang et al. 2019, 1901.09321, figure 1), and starts its linear layer at 0.
// Parameters, named as in the authors' checkpoints (ReZero, 2003.04887): conv1.weight, bn1.*,
// layer{1,2,3}.{j}.{conv1.weight,bn1.*,conv2.weight,bn2.*,resweight [1] or [1, channels]}, linear.*; without norms
// also *.conv{1,2}.bias; of fixup bias1, bias2 and layer{1,2,3}.{j}.{bias_in,bias1b,bias2a,bias_out}, all [1].
#pragma once

#include <memory>
#include <vector>

#include "nn/models/image_model.h"

namespace rz::nn {

struct ResNetOptions {
  std::int64_t layers = 20;  // 6 n + 2
  ImageOptions image{};      // sides divisible by 4
  ResidualOptions residual{};
  bool batch_norm = true;
};

class ResNet : public ImageModel {
 public:
  // Throws: value (layers that are not 6 n + 2, sides that the strides do not divide, a form that needs a norm or has
  // norms of its own but zero_gamma, fixup with norms)
  explicit ResNet(const ResNetOptions& options);
  ~ResNet() override;
  std::string formula() const override;
  std::string constants() const override;
  std::vector<Parameter> residual_weights() const override;  // one per block

 private:
  class Block;
  Variable stem(const Variable& images) const override;
  Variable block(const Variable& x, std::int64_t i) const override;
  std::int64_t blocks() const override { return std::ssize(blocks_); }
  Variable before_linear(const Variable& x) const override;

  ResNetOptions options_;
  std::unique_ptr<Conv2d> conv1_;
  std::unique_ptr<BatchNorm> bn1_;
  Parameter bias1_, bias2_;  // fixup's
  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace rz::nn
