#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "autograd/ops.h"
#include "core/precision.h"
#include "core/random.h"
#include "nn/models/fully_connected.h"
#include "tools/rezero/bench_training.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

nn::FullyConnected network(const BenchOptions& options, double gate) {
  nn::FullyConnectedOptions wanted;
  wanted.depth = options.depth;
  wanted.width = options.width;
  wanted.residual.form = checked_usage("", [&] { return nn::form_named(options.form); });
  if (nn::row(wanted.residual.form).gated()) wanted.residual.gate = {gate};
  return nn::FullyConnected(wanted);
}

// Of the matrix products of a step: forward, weight gradients, and input gradients but for the first layer.
double product_flops(nn::FullyConnected& model, std::int64_t batch) {
  double flops = 0;
  for (int i = 0; i < model.parameters().size(); ++i) {
    const Parameter parameter = model.parameters()[i];
    if (parameter.role() != Role::weight) continue;
    const bool first = parameter.name() == "linear_input.weight";
    flops += (first ? 2 : 3) * 2 * static_cast<double>(batch * parameter.shape().elements());
  }
  return flops;
}

struct Example {
  Tensor images, labels;
};

std::vector<Example> examples(std::int64_t batch) {
  Random random(1, stream_named("bench/data"));
  std::vector<Example> examples;
  for (int i = 0; i < 4; ++i) {
    std::vector<std::int64_t> labels(static_cast<std::size_t>(batch));
    for (std::int64_t& label : labels) label = static_cast<std::int64_t>(random.below(10));
    examples.push_back({normal_tensor({batch, 3072}, random, DType::f32), Tensor::of_integers({batch}, labels)});
  }
  return examples;
}

ProductPrecision products_named(std::string_view word) {
  for (const ProductPrecision precision : {ProductPrecision::high, ProductPrecision::bf16})
    if (word == name(precision)) return precision;
  return ProductPrecision::f32;
}

}  // namespace

BenchResult bench_fc(const BenchOptions& options) {
  const auto precision =
      checked_usage("--precision", [&] { return ProductPrecisionScope(products_named(options.precision)); });
  nn::FullyConnected model = network(options, 1.0 / static_cast<double>(options.depth));
  model.parameters().build(1);
  const std::vector<Example> data = examples(options.batch);
  const auto loss = [&](std::int64_t step) {
    const Example& example = data[static_cast<std::size_t>(step) % data.size()];
    return softmax_cross_entropy(model.forward(Variable(example.images)), example.labels);
  };
  const TrainingWork work{.model = model,
                          .optimizer = {.name = "adagrad", .learning_rate = 0.001},
                          .loss = loss,
                          .product_flops = product_flops(model, options.batch)};
  const nlohmann::ordered_json fields = {{"workload", "fc"},       {"depth", options.depth},
                                         {"width", options.width}, {"batch", options.batch},
                                         {"form", options.form},   {"precision", options.precision}};
  return training_report(fmt::format("{} of depth {} and width {}, batch {}, Adagrad, {}", options.form, options.depth,
                                     options.width, options.batch, options.precision),
                         fields,
                         fmt::format("fc {} {}x{} batch {} {}", options.form, options.depth, options.width,
                                     options.batch, options.precision),
                         measure_training(work, options), options);
}

}  // namespace rz::tool
