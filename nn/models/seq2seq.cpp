#include "nn/models/seq2seq.h"

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/error.h"
#include "core/ops.h"
#include "nn/init.h"

namespace rz::nn {

namespace {

TokenEmbeddingOptions embedding_options(const Seq2SeqOptions& o) {
  return {.vocabulary = o.vocabulary,
          .positions = std::max(o.source, o.target),
          .d_model = o.transformer.d_model,
          .kind = o.positions,
          .dropout = o.transformer.dropout,
          .weight_name = "embedding.weight",
          .positions_name = "positions.pe"};
}

}  // namespace

Seq2Seq::Seq2Seq(const Seq2SeqOptions& options)
    : options_(options),
      embedding_(*store_, embedding_options(options)),
      encoder_(*store_, "encoder.", options.transformer),
      decoder_(*store_, "decoder.", options.transformer, true) {
  RZ_CHECK(value, options.source >= 1 && options.target >= 1,
           "seq2seq: sources of {} and targets of {} tokens were given, but each must have one", options.source,
           options.target);
  output_weight_ = embedding_.weight();
  if (options.tie_weights)
    store_->alias("output.weight", output_weight_);
  else
    output_weight_ = store_->declare("output.weight", output_weight_.shape(), Role::weight, init::uniform(0.1));
  output_bias_ = store_->declare("output.bias", {options.vocabulary}, Role::bias, init::constant(0));
}

TransformerInputs Seq2Seq::inputs() const {
  TransformerInputs given{.dropout = dropout_source()};
  given.self.dropout = given.cross.dropout = given.dropout;
  return given;
}

Variable Seq2Seq::encode(const Variable& source) const {
  const Scope scope("encoder");
  return encoder_.forward(embedding_.forward(source, dropout_source()), inputs());
}

Variable Seq2Seq::decode(const Variable& target, const Variable& memory) const {
  const Scope scope("decoder");
  TransformerInputs given = inputs();
  given.self.causal = true;
  given.memory = memory;
  return linear(decoder_.forward(embedding_.forward(target, dropout_source()), given), output_weight_, output_bias_);
}

Variable Seq2Seq::forward(const Variable& x) const {
  RZ_CHECK(shape, x.shape().rank() == 2 && x.shape()[1] == options_.source + options_.target,
           "seq2seq: x {} must be [batch, {} + {}], source and target tokens", x.shape(), options_.source,
           options_.target);
  const Tensor source = ops::slice(x.value(), 1, 0, options_.source);
  const Tensor target = ops::slice(x.value(), 1, options_.source, options_.target);
  return decode(Variable(target), encode(Variable(source)));
}

Stages Seq2Seq::stages() const {
  Stages chain = stack_stages(encoder_, [this](const Variable&) { return inputs(); });
  chain.input = [this](const Variable& x) {
    return embedding_.forward(Variable(ops::slice(x.value(), 1, 0, options_.source)), dropout_source());
  };
  chain.output = [this](const Variable& x) { return encoder_.finish(x); };
  return chain;
}

std::vector<Parameter> Seq2Seq::residual_weights() const {
  std::vector<Parameter> all = encoder_.residual_weights();
  const std::vector<Parameter> more = decoder_.residual_weights();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace rz::nn
