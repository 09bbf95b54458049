#include "nn/models/char_transformer.h"

#include <cmath>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "autograd/tape.h"
#include "nn/init.h"

namespace rz::nn {

namespace {

TokenEmbeddingOptions embedding_options(const CharTransformerOptions& o) {
  TokenEmbeddingOptions embedding{.vocabulary = o.vocabulary,
                                  .positions = o.context,
                                  .d_model = o.transformer.d_model,
                                  .kind = o.positions,
                                  .dropout = o.transformer.dropout};
  if (o.transformer.residual.form == Form::t_fixup) {  // Huang et al. 2020, section 3.2
    const double layers = static_cast<double>(o.transformer.layers), d = static_cast<double>(o.transformer.d_model);
    embedding.init = init::normal(std::pow(9 * layers, -0.25) / std::sqrt(d));
  }
  return embedding;
}

}  // namespace

CharTransformer::CharTransformer(const CharTransformerOptions& options)
    : options_(options),
      embedding_(*store_, embedding_options(options)),
      stack_(*store_, "transformer_encoder.", options.transformer) {
  output_weight_ = embedding_.weight();
  if (options.tie_weights)
    store_->alias("decoder.weight", output_weight_);
  else
    output_weight_ = store_->declare("decoder.weight", output_weight_.shape(), Role::weight, init::uniform(0.1));
  output_bias_ = store_->declare("decoder.bias", {options.vocabulary}, Role::bias, init::constant(0));
}

TransformerInputs CharTransformer::causal_inputs(const Variable& x) const {
  TransformerInputs inputs = inputs_for(x.shape()[0]);
  inputs.self.causal = true;
  return inputs;
}

Variable CharTransformer::logits(const Variable& x) const {
  const Scope scope("decoder");
  return linear(stack_.finish(x), output_weight_, output_bias_);
}

Variable CharTransformer::hidden(const Variable& x) const {
  const Scope scope("transformer_encoder");
  return stack_.run(x, causal_inputs(x));
}

Variable CharTransformer::forward(const Variable& tokens) const {
  const Variable x = embedding_.forward(tokens, dropout_source());
  return logits(hidden(x));
}

Variable CharTransformer::forward(const Variable& tokens, std::span<KeyValueCache> caches) const {
  const NoRecording off;
  const Variable x = embedding_.forward(tokens, {}, caches.front().tokens);
  TransformerInputs inputs;
  inputs.caches = caches;
  return logits(stack_.run(x, inputs));
}

std::vector<KeyValueCache> CharTransformer::caches() const {
  const Shape shape{options_.context, 2 * options_.transformer.d_model};
  std::vector<KeyValueCache> caches(static_cast<std::size_t>(stack_.size()));
  for (KeyValueCache& cache : caches) cache.rows = Tensor(shape, parameters().dtype(), parameters().device());
  return caches;
}

Stages CharTransformer::stages() const {
  Stages chain = stack_stages(stack_, [this](const Variable& x) { return causal_inputs(x); });
  chain.input = [this](const Variable& tokens) { return embedding_.forward(tokens, dropout_source()); };
  chain.output = [this](const Variable& x) { return logits(x); };
  return chain;
}

}  // namespace rz::nn
