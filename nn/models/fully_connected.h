// The fully connected network of the paper: inputs -> width, `depth` residual layers of `width`, width -> outputs.
// Parameters, named as in the authors' checkpoints: linear_input.{weight,bias}, linear_layers.{i}.{weight,bias},
// linear_output.{weight,bias}, resweight [depth] (gated forms), ln.{weight,bias} (forms with a norm: one for all
// layers, eps 1e-5).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/linear.h"
#include "nn/residual.h"

namespace rz::nn {

// The order within a branch: act(W x + b), the authors', or W act(x) + b, that of the mean-field literature (the input
// layer is then linear).
enum class Branch : std::uint8_t { activation_last, activation_first };
Branch branch_named(std::string_view name);  // Throws: value
std::string_view name(Branch branch);

struct FullyConnectedOptions {
  Shape inputs{3, 32, 32};  // of one example
  std::int64_t outputs = 10;
  std::int64_t depth = 32;
  std::int64_t width = 256;
  Form form = Form::rezero;
  Scalar activation = ScalarFunction::relu;
  Branch branch = Branch::activation_last;
  std::vector<double> gate{};  // start of the gates: none (the form's default), one for all, or one per layer
  // "authors": input Kaiming normal; hidden Xavier normal with gain sqrt(2), 0.5 for `residual`; biases and output
  // uniform(+-1/sqrt(fan_in)) (paper's notebook). Another name (nn/init.h): hidden weights by it, hidden biases 0;
  // input and output layers as the authors'.
  std::string init = "authors";
  std::optional<double> sigma_w{};  // gain of a named initialiser
  std::optional<double> sigma_b{};  // hidden biases from N(0, sigma_b^2)
};

class FullyConnected : public Model {
 public:
  // Declares the parameters; parameters().build(seed) draws them.
  // Throws: value (depth, width, inputs or outputs below 1; a gate for a form without; as many gates as neither 1 nor
  // depth; unknown init).
  explicit FullyConnected(const FullyConnectedOptions& options);
  Variable forward(const Variable& x) const override;  // [batch, ...inputs] or [batch, features] -> [batch, outputs]
  Stages stages() const override;
  std::string formula() const override;
  Shape input_shape() const override { return options_.inputs; }
  std::int64_t outputs() const override { return options_.outputs; }
  Parameter residual_weights() const override { return gates_; }
  const FullyConnectedOptions& options() const { return options_; }

 private:
  Variable first(const Variable& x) const;  // the input layer
  Variable layer(const Variable& x, std::int64_t i) const;
  FullyConnectedOptions options_;
  std::unique_ptr<Linear> input_, output_;
  std::vector<Linear> layers_;
  std::unique_ptr<LayerNorm> norm_;
  Parameter gates_;
  std::unique_ptr<Residual> residual_;
};

}  // namespace rz::nn
