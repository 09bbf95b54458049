#include "nn/models/transformer.h"

#include <utility>

#include "core/error.h"
#include "core/ops.h"

namespace rz::nn {

namespace {

// x [1, ...] repeated for a batch; x [batch, ...] as it is.
Tensor for_batch(const Tensor& x, std::int64_t batch, const char* name) {
  if (!x.defined() || x.shape()[0] == batch) return x;
  RZ_CHECK(shape, x.shape()[0] == 1, "{}: {} was given for a batch of {}", name, x.shape(), batch);
  std::vector<std::int64_t> extents(x.shape().extents().begin() + 1, x.shape().extents().end());
  return ops::repeat(x.reshape(Shape(extents)), batch);
}

}  // namespace

HeldInputs examples(const HeldInputs& inputs, std::int64_t first, std::int64_t count) {
  HeldInputs some = inputs;
  for (Tensor* const tensor : {&some.key_mask, &some.memory, &some.memory_key_mask})
    if (tensor->defined() && tensor->shape()[0] > 1) *tensor = tensor->rows(first, count);
  return some;
}

TransformerInputs TransformerModel::inputs_for(std::int64_t batch) const {
  TransformerInputs inputs{.dropout = dropout_source()};
  inputs.self.dropout = inputs.cross.dropout = inputs.dropout;
  inputs.self.mask = held_.mask;
  inputs.self.key_mask = for_batch(held_.key_mask, batch, "key_mask");
  inputs.cross.mask = held_.memory_mask;
  inputs.cross.key_mask = for_batch(held_.memory_key_mask, batch, "memory_key_mask");
  if (held_.memory.defined()) inputs.memory = Variable(for_batch(held_.memory, batch, "memory"));
  return inputs;
}

template <class Layer>
Stages stack_stages(const TransformerStack<Layer>& stack, std::function<TransformerInputs(const Variable& x)> inputs) {
  Stages chain;
  chain.chain = stack.is_chain();
  if (chain.chain) {
    for (std::int64_t i = 0; i < stack.size(); ++i)
      chain.stages.emplace_back([&stack, inputs, i](const Variable& x) { return stack.layer(x, {}, i, inputs(x)); });
  } else {
    chain.stages.emplace_back([&stack, inputs](const Variable& x) { return stack.run(x, inputs(x)); });
  }
  return chain;
}

template <class Layer>
TransformerStackModel<Layer>::TransformerStackModel(const TransformerStackOptions& options)
    : options_(options), stack_(*store_, "", options.transformer) {
  RZ_CHECK(value, options.tokens >= 1, "transformer: examples of {} tokens were asked for, but there must be one",
           options.tokens);
}

template <class Layer>
TransformerInputs TransformerStackModel<Layer>::inputs_for_states(const Variable& x) const {
  RZ_CHECK(shape, x.shape().rank() == 3 && x.shape()[2] == options_.transformer.d_model,
           "transformer: x {} must be [batch, tokens, {}]", x.shape(), options_.transformer.d_model);
  return inputs_for(x.shape()[0]);
}

template <class Layer>
Variable TransformerStackModel<Layer>::forward(const Variable& x) const {
  return stack_.forward(x, inputs_for_states(x));
}

template <class Layer>
Stages TransformerStackModel<Layer>::stages() const {
  Stages chain = stack_stages(stack_, [this](const Variable& x) { return inputs_for_states(x); });
  chain.input = [](const Variable& x) { return x; };
  chain.output = [this](const Variable& x) { return stack_.finish(x); };
  return chain;
}

template Stages stack_stages(const TransformerEncoder& stack,
                             std::function<TransformerInputs(const Variable& x)> inputs);
template class TransformerStackModel<TransformerEncoderLayer>;
template class TransformerStackModel<TransformerDecoderLayer>;

}  // namespace rz::nn
