// Pre-activation ResNets (He et al. 2016, 1603.05027) for small images: a convolution to 64 channels, four stages of
// 64, 128, 256 and 512 channels, of which the last three halve the image.
//   18, 34   F(x) = conv2(relu(BN2(h))),                     h = conv1(relu(BN1(x))), 3 x 3 each
//   50       F(x) = conv3(relu(BN3(conv2(relu(BN2(h)))))),   1 x 1, 3 x 3, 1 x 1 to four times the channels
//   x' = skip(x) + g F(x),   skip(x) = x, or a 1 x 1 convolution of relu(BN1(x)) where channels or sides change
// Without norms (norm = none) convolutions have a bias. Kernels Kaiming normal, the linear layer too.
// Parameters: conv1.weight, layer{1..4}.{j}.{bn1.*,conv1.weight,bn2.*,conv2.weight,bn3.*,conv3.weight,
// shortcut.0.weight,resweight}, linear.{weight,bias}; without norms also *.bias.
#pragma once

#include <memory>
#include <vector>

#include "nn/models/image_model.h"

namespace rz::nn {

struct PreActResNetOptions {
  std::int64_t layers = 18;  // or 34, 50
  ImageOptions image{};      // sides divisible by 8
  ResidualOptions residual{};
  bool batch_norm = true;
};

class PreActResNet : public ImageModel {
 public:
  // Throws: value (other layers, sides that the strides do not divide, a form as for ResNet, or fixup)
  explicit PreActResNet(const PreActResNetOptions& options);
  ~PreActResNet() override;
  std::string formula() const override;
  std::string constants() const override;
  std::vector<Parameter> residual_weights() const override;

 private:
  class Block;
  Variable stem(const Variable& images) const override;
  Variable block(const Variable& x, std::int64_t i) const override;
  std::int64_t blocks() const override { return std::ssize(blocks_); }

  PreActResNetOptions options_;
  std::unique_ptr<Conv2d> conv1_;
  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace rz::nn
