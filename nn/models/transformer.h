// Stacks of Transformer layers as models: hidden states [batch, tokens, d_model] in and out, for analysis and for files
// of the authors' package. Parameters as in nn/transformer.h, without a prefix.
#pragma once

#include <string>
#include <vector>

#include "nn/transformer.h"

namespace rz::nn {

// What is given to a Transformer beside its main input and held fixed: neither trained nor differentiated. Tensors have
// the model's type; those with a batch axis may have 1 there, for any batch. Masks are added to the scores.
struct HeldInputs {
  Tensor mask;             // [tokens, tokens], of self-attention
  Tensor key_mask;         // [batch, tokens]
  Tensor memory;           // [batch, keys, d_model], of decoders
  Tensor memory_mask;      // [tokens, keys]
  Tensor memory_key_mask;  // [batch, keys]
  bool by_example() const { return key_mask.defined() || memory.defined() || memory_key_mask.defined(); }
};
// Those of examples [first, first + count) of a batch.
HeldInputs examples(const HeldInputs& inputs, std::int64_t first, std::int64_t count);

class TransformerModel : public Model {
 public:
  void hold(HeldInputs inputs) { held_ = std::move(inputs); }
  const HeldInputs& held() const { return held_; }

 protected:
  // For a batch of so many examples.   Throws: shape (naming the array)
  TransformerInputs inputs_for(std::int64_t batch) const;

 private:
  HeldInputs held_;
};

struct TransformerStackOptions {
  TransformerOptions transformer{};
  std::int64_t tokens = 16;  // of one example: of its input_shape(); forward takes any number
};

// family "encoder" or "decoder"
template <class Layer>
class TransformerStackModel : public TransformerModel {
 public:
  explicit TransformerStackModel(const TransformerStackOptions& options);  // Throws: value
  Variable forward(const Variable& x) const override;
  Stages stages() const override;
  std::string formula() const override { return formula_text(options_.transformer.residual); }
  std::string constants() const override { return stack_.constants(options_.transformer.residual); }
  Shape input_shape() const override { return {options_.tokens, options_.transformer.d_model}; }
  std::int64_t outputs() const override { return input_shape().elements(); }
  std::vector<Parameter> residual_weights() const override { return stack_.residual_weights(); }

 private:
  TransformerInputs inputs_for_states(const Variable& x) const;
  TransformerStackOptions options_;
  TransformerStack<Layer> stack_;
};
using EncoderModel = TransformerStackModel<TransformerEncoderLayer>;
using DecoderModel = TransformerStackModel<TransformerDecoderLayer>;
extern template class TransformerStackModel<TransformerEncoderLayer>;
extern template class TransformerStackModel<TransformerDecoderLayer>;

// The stages of a stack between `input` and `output`: one per layer, or one in all where layers look back at the first
// state. `inputs` is asked anew for each call, and must outlive them.
template <class Layer>
Stages stack_stages(const TransformerStack<Layer>& stack, std::function<TransformerInputs(const Variable& x)> inputs);

}  // namespace rz::nn
