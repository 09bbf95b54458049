// A convolutional network without blocks: a stem, then `depth` layers joined as those of nn::FullyConnected are,
//   F(x) = f(W * x + b),   W 3 x 3, padded with zeros,
// the average over all pixels, and a linear layer. With the form deep, kernels delta-orthogonal and tanh it is the
// vanilla network that Xiao et al. 2018 (1806.05393) train at 10,000 layers without skips: the comparison for ReZero.
// The stem is theirs: a convolution to `width` channels, then `downsamplings` of stride 2, f after each.
// Parameters: conv_input.{k}.{weight,bias}, k = 0 ... downsamplings, conv_layers.{i}.{weight,bias},
// linear.{weight,bias}, resweight [depth] (gated forms), ln.{weight,bias} over the channels (forms with a norm: one for
// all layers); further ones of single forms: nn/residual.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/models/image_model.h"

namespace rz::nn {

struct CnnOptions {
  ImageOptions image{};
  std::int64_t depth = 32;
  std::int64_t width = 64;         // channels
  std::int64_t downsamplings = 2;  // each halves the sides, rounding up: 32 x 32 pixels become 8 x 8
  ResidualOptions residual{.form = Form::deep};
  Scalar activation = ScalarFunction::tanh;
  // Of the layers' kernels: a name of nn/init.h, or "mean_field": W_ij from N(0, sigma_w^2 / fan_in). The stem's start
  // by the same name, of delta_orthogonal by mean_field, as the authors' do. Biases start at 0 or from N(0, sigma_b^2).
  std::string init = "delta_orthogonal";
  std::optional<double> sigma_w{};  // gain of the initialiser; default: its own
  std::optional<double> sigma_b{};
};

class Cnn : public ImageModel {
 public:
  static constexpr std::string_view layer_prefix = "conv_layers.";  // of the names of the layers' weights and biases
  // Throws: value (depth or width below 1, images that cannot be halved so often, residual options that the form has
  // no use for, a form that would never move, unknown init), shape (an init that is not one of kernels)
  explicit Cnn(const CnnOptions& options);
  std::string formula() const override;
  std::string constants() const override;
  std::vector<Parameter> residual_weights() const override;  // one, [depth] or [depth, width]
  const CnnOptions& options() const { return options_; }

 private:
  Variable stem(const Variable& images) const override;
  Variable block(const Variable& x, std::int64_t i) const override { return layer(x, {}, i); }
  std::int64_t blocks() const override { return options_.depth; }
  bool is_chain() const override { return !residual_->injects(); }
  Variable hidden(const Variable& x_0) const override;
  Variable layer(const Variable& x, const Variable& x_0, std::int64_t i) const;

  CnnOptions options_;
  std::vector<Conv2d> inputs_, layers_;
  std::unique_ptr<Residual> residual_;
};

}  // namespace rz::nn
