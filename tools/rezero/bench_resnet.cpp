#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "autograd/ops.h"
#include "core/random.h"
#include "nn/models/resnet.h"
#include "tools/rezero/bench_training.h"
#include "tools/rezero/command.h"
#include "tools/rezero/size.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

constexpr double resnet_gate = 0.1;  // a step of zeros could be cheaper
constexpr std::int64_t classes = 10;

nn::ResNet resnet_of(const BenchOptions& options) {
  return checked_usage("", [&] {
    nn::ResNetOptions wanted{.layers = options.resnet.layers, .residual = {.form = nn::form_named(options.form)}};
    wanted.batch_norm = !nn::row(wanted.residual.form).scalar_biases;
    if (nn::row(wanted.residual.form).gated()) wanted.residual.gate = {resnet_gate};
    return nn::ResNet(wanted);
  });
}

// Of convolutions and linear layer, per kernel forward, weight gradient and input gradient. Pixels that a kernel
// passes over: those of its stage, of the first convolution of a stage those after the stride.
double convolution_flops(nn::ResNet& model, std::int64_t batch) {
  const Shape image = model.input_shape();
  std::int64_t products = 0;
  for (int i = 0; i < model.parameters().size(); ++i) {
    const Parameter parameter = model.parameters()[i];
    if (parameter.role() != Role::weight) continue;
    const std::int64_t halvings = parameter.shape()[0] / 32;  // 16, 32, 64 channels: 0, 1, 2
    const bool linear = parameter.shape().rank() == 2;
    products += parameter.shape().elements() * (linear ? 1 : (image[1] >> halvings) * (image[2] >> halvings));
  }
  return 2.0 * 3.0 * static_cast<double>(batch) * static_cast<double>(products);
}

struct ImageExample {
  Tensor images, labels;
};

std::vector<ImageExample> image_examples(const Shape& image, std::int64_t batch) {
  Random random(1, stream_named("bench/images"));
  std::vector<ImageExample> examples;
  for (int i = 0; i < 2; ++i) {
    std::vector<std::int64_t> labels;
    for (std::int64_t row = 0; row < batch; ++row) labels.push_back(static_cast<std::int64_t>(random.below(classes)));
    examples.push_back(
        {normal_tensor(image.prepended(batch), random, DType::f32), Tensor::of_integers({batch}, labels)});
  }
  return examples;
}

}  // namespace

BenchResult bench_resnet(const BenchOptions& options) {
  nn::ResNet model = resnet_of(options);
  model.parameters().build(1);
  const std::int64_t batch = options.batch;
  const std::vector<ImageExample> data = image_examples(model.input_shape(), batch);
  const std::int64_t recomputed =
      options.resnet.memory.empty() ? 0 : within_budget(options.resnet.memory, "--memory", [&](std::int64_t bytes) {
        return model.fit_memory(bytes, batch);
      });
  const auto loss = [&](std::int64_t step) {
    const ImageExample& example = data[static_cast<std::size_t>(step) % data.size()];
    return softmax_cross_entropy(model.forward(Variable(example.images)), example.labels);
  };
  const TrainingWork work{.model = model,
                          .optimizer = {.name = "sgd", .learning_rate = 0.01, .weight_decay = 1e-4, .momentum = 0.9},
                          .loss = loss,
                          .product_flops = convolution_flops(model, batch)};
  const std::string more = recomputed > 0 ? fmt::format(", {} blocks computed twice", recomputed) : "";
  const std::string title =
      fmt::format("{} ResNet-{}, batch {}, SGD with momentum, f32{}", options.form, options.resnet.layers, batch, more);
  const std::string name = fmt::format("resnet {} {} batch {} f32", options.form, options.resnet.layers, batch);
  const nlohmann::ordered_json fields = {{"workload", "resnet"},
                                         {"layers", options.resnet.layers},
                                         {"batch", batch},
                                         {"form", options.form},
                                         {"recomputed_blocks", recomputed}};
  return training_report(title, fields, name, measure_training(work, options), options);
}

}  // namespace rz::tool
