// The fully connected network of the paper: inputs -> width, `depth` residual layers of `width`, width -> outputs.
// Parameters, named as in the authors' checkpoints: linear_input.{weight,bias}, linear_layers.{i}.{weight,bias},
// linear_output.{weight,bias}, resweight [depth] (gated forms), ln.{weight,bias} (forms with a norm: one for all
// layers, eps 1e-5); further ones of single forms: nn/residual.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/dropout.h"
#include "nn/linear.h"
#include "nn/residual.h"

namespace rz::nn {

// The order within a branch: act(W x + b), the authors', or W act(x) + b, that of the mean-field literature (the input
// layer is then linear). Where the last matrix starts at 0 (forms with zero_last) only the second learns: relu has
// slope 0 at 0, and F(x) = relu(0) would never move.
enum class Branch : std::uint8_t { activation_last, activation_first };
Branch branch_named(std::string_view name);  // Throws: value
std::string_view name(Branch branch);
Branch default_branch(Form form);

struct FullyConnectedOptions {
  Shape inputs{3, 32, 32};  // of one example
  std::int64_t outputs = 10;
  std::int64_t depth = 32;
  std::int64_t width = 256;
  ResidualOptions residual{};
  Scalar activation = ScalarFunction::relu;
  Branch branch = Branch::activation_last;
  // "authors": input Kaiming normal; hidden Xavier normal with gain sqrt(2), 0.5 for `residual`; biases and output
  // uniform(+-1/sqrt(fan_in)) (paper's notebook). "mean_field": W_ij from N(0, sigma_w^2 / fan_in), or sigma_w times
  // Haar for weights "orthogonal"; b_i from N(0, sigma_b^2); input layer included (Poole et al. 2016). Another name
  // (nn/init.h): hidden weights by it, hidden biases 0. The output layer is always as the authors'.
  std::string init = "authors";
  std::string weights = "gaussian";  // of mean_field: or "orthogonal"
  std::optional<double> sigma_w{};   // gain of a named initialiser; mean_field: default 1
  double dropout = 0;                // probability, of a branch's output F(x)
  std::optional<double> sigma_b{};   // hidden biases from N(0, sigma_b^2); mean_field: default 0
};

class FullyConnected : public Model {
 public:
  static constexpr std::string_view layer_prefix = "linear_layers.";  // of the names of the layers' weights and biases
  // Declares the parameters; parameters().build(seed) draws them.
  // Throws: value (depth, width, inputs or outputs below 1; residual options that the form has no use for; unknown
  // init).
  explicit FullyConnected(const FullyConnectedOptions& options);
  Variable forward(const Variable& x) const override;  // [batch, ...inputs] or [batch, features] -> [batch, outputs]
  Stages stages() const override;
  std::string formula() const override;
  std::string constants() const override;
  Shape input_shape() const override { return options_.inputs; }
  std::int64_t outputs() const override { return options_.outputs; }
  std::vector<Parameter> residual_weights() const override;  // one, [depth] or [depth, width]
  const FullyConnectedOptions& options() const { return options_; }

 private:
  Variable first(const Variable& x) const;                                               // the input layer
  Variable hidden(const Variable& x_0) const { return layers(x_0, 0, options_.depth); }  // the last from the first
  Variable layers(const Variable& x, std::int64_t first, std::int64_t last) const;
  Variable layer(const Variable& x, const Variable& x_0, std::int64_t i) const;
  FullyConnectedOptions options_;
  std::unique_ptr<Linear> input_, output_;
  std::vector<Linear> layers_;
  std::vector<Dropout> dropouts_;  // none without dropout
  std::unique_ptr<Residual> residual_;
};

}  // namespace rz::nn
