// Module: something that maps a Variable to a Variable with parameters in a ParameterStore. Layers declare their
// parameters in the store they are given, under the names of the authors' checkpoints; a Model owns its store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autograd/parameter.h"
#include "autograd/transforms.h"
#include "autograd/variable.h"
#include "core/step.h"

namespace rz::nn {

// A model as a chain: output(stages[n - 1]( ... stages[0](input(x)))). The product of the Jacobians of `stages` is that
// of the `stack`. Where every layer looks back at the stack's input, it is no chain: then it is one stage.
struct Stages {
  Function input;
  std::vector<Function> stages;
  Function output;
  bool chain = true;  // a stage per layer
  // Stages [first, last) one after the other, or faster and the same but for rounding.
  std::function<Variable(const Variable& x, std::int64_t first, std::int64_t last)> run{};
};

class Module {
 public:
  virtual ~Module() = default;
  virtual Variable forward(const Variable& x) const = 0;
  Variable operator()(const Variable& x) const { return forward(x); }
};

// Where dropout masks come from: a seed, and the step in `state`. Without a state dropout is off.
struct DropoutSource {
  std::uint64_t seed = 0;
  const StepState* state = nullptr;
};

class Model : public Module {
 public:
  virtual Stages stages() const = 0;
  virtual std::string formula() const = 0;    // of its residual form, "x + a F(x)"
  virtual std::string constants() const = 0;  // in it, with depth put in: "s = n^(1/4) = 2"; "" when there are none
  virtual Shape input_shape() const = 0;      // of one example, such as [3, 32, 32]
  virtual DType input_type() const { return parameters().dtype(); }  // i64: tokens
  // Of what the first layer reads of one example: hidden states in place of tokens.
  virtual Shape state_shape() const { return input_shape(); }
  virtual std::int64_t outputs() const = 0;                               // classes, or entries of the vocabulary
  virtual std::vector<Parameter> residual_weights() const { return {}; }  // gates, from the first layer to the last
  // Of batch norms: takes what the last training pass saw into the running statistics (nn/batch_norm.h).
  virtual void update_statistics(const StepState&) const {}
  // Trades time for memory where the model can (nn/models/image_model.h): the number of layers that it will compute
  // twice.   Throws: value (it cannot), BudgetError
  virtual std::int64_t fit_memory(std::int64_t bytes, std::int64_t batch);
  virtual bool has_batch_norm() const { return false; }
  void set_training(bool training) { training_ = training; }
  bool training() const { return training_; }
  // Dropout is active in training, with masks from here; without a source it is off. The state must outlive the model.
  void set_dropout_source(const DropoutSource& source) { dropout_ = source; }
  DropoutSource dropout_source() const { return training_ ? dropout_ : DropoutSource{}; }
  ParameterStore& parameters() { return *store_; }
  const ParameterStore& parameters() const { return *store_; }

 protected:
  std::unique_ptr<ParameterStore> store_ = std::make_unique<ParameterStore>();
  bool training_ = true;
  DropoutSource dropout_;
};

std::vector<double> gate_values(const Model& model);  // of all residual weights, in order

}  // namespace rz::nn
