#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "autograd/ops.h"
#include "core/random.h"
#include "nn/models/char_transformer.h"
#include "tools/rezero/bench_training.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

constexpr std::int64_t token_kinds = 256;
constexpr double start_gate = 0.1;  // a step of zeros could be cheaper

nn::CharTransformer language_model(const BenchOptions& options) {
  const TransformerSizes& sizes = options.transformer;
  nn::CharTransformerOptions wanted{
      .vocabulary = token_kinds, .context = sizes.context, .positions = nn::PositionKind::learned};
  nn::TransformerOptions& stack = wanted.transformer;
  stack.layers = sizes.layers;
  stack.d_model = sizes.d_model;
  stack.heads = sizes.heads;
  stack.feed_forward = sizes.feed_forward;
  return checked_usage("", [&] {
    stack.residual.form = nn::form_named(options.form);
    if (nn::row(stack.residual.form).gated()) stack.residual.gate = {start_gate};
    return nn::CharTransformer(wanted);
  });
}

// Of the matrix products of a step: per matrix forward, weight gradient and input gradient; in attention two forward
// and four backward over the pairs of query and key that see each other (weights that are computed again do not count).
double transformer_flops(nn::CharTransformer& model, const TransformerSizes& sizes) {
  std::int64_t weights = 0;
  for (int i = 0; i < model.parameters().size(); ++i)
    if (model.parameters()[i].role() == Role::weight) weights += model.parameters()[i].shape().elements();
  const std::int64_t pairs = sizes.batch * sizes.context * (sizes.context + 1) / 2;
  return 2.0 * (3.0 * static_cast<double>(sizes.batch * sizes.context * weights) +
                6.0 * static_cast<double>(sizes.layers * pairs * sizes.d_model));
}

struct TokenExample {
  Tensor tokens, next;  // [batch, context], [batch context]
};

std::vector<TokenExample> token_examples(std::int64_t batch, std::int64_t context) {
  Random random(1, stream_named("bench/tokens"));
  std::vector<TokenExample> token_examples;
  for (int i = 0; i < 2; ++i) {
    std::vector<std::int64_t> tokens, next;
    for (std::int64_t row = 0; row < batch; ++row) {
      std::int64_t token = static_cast<std::int64_t>(random.below(token_kinds));
      for (std::int64_t t = 0; t < context; ++t) {
        tokens.push_back(token);
        next.push_back(token = static_cast<std::int64_t>(random.below(token_kinds)));
      }
    }
    token_examples.push_back(
        {Tensor::of_integers({batch, context}, tokens), Tensor::of_integers({batch * context}, next)});
  }
  return token_examples;
}

nlohmann::ordered_json transformer_fields(const TransformerSizes& sizes, const std::string& form) {
  return {{"workload", "transformer"},
          {"layers", sizes.layers},
          {"d_model", sizes.d_model},
          {"heads", sizes.heads},
          {"feed_forward", sizes.feed_forward},
          {"context", sizes.context},
          {"batch", sizes.batch},
          {"form", form}};
}

}  // namespace

BenchResult bench_transformer(const BenchOptions& options) {
  const TransformerSizes& sizes = options.transformer;
  nn::CharTransformer model = language_model(options);
  model.parameters().build(1);
  const std::vector<TokenExample> data = token_examples(sizes.batch, sizes.context);
  const std::int64_t tokens = sizes.batch * sizes.context;
  const auto loss = [&](std::int64_t step) {
    const TokenExample& example = data[static_cast<std::size_t>(step) % data.size()];
    const Variable logits = model.forward(Variable(example.tokens));
    return softmax_cross_entropy(reshape(logits, {tokens, token_kinds}), example.next);
  };
  const TrainingWork work{.model = model,
                          .optimizer = {.name = "adam", .learning_rate = 1e-4},
                          .loss = loss,
                          .product_flops = transformer_flops(model, sizes),
                          .tokens = tokens};
  const std::string title = fmt::format(
      "{} Transformer of {} layers, d_model {}, {} heads, feed-forward {}, {} x {} tokens, Adam, f32", options.form,
      sizes.layers, sizes.d_model, sizes.heads, sizes.feed_forward, sizes.batch, sizes.context);
  const std::string name =
      fmt::format("transformer {} {}x{} heads {} feed-forward {} tokens {}x{} f32", options.form, sizes.layers,
                  sizes.d_model, sizes.heads, sizes.feed_forward, sizes.batch, sizes.context);
  return training_report(title, transformer_fields(sizes, options.form), name, measure_training(work, options),
                         options);
}

}  // namespace rz::tool
