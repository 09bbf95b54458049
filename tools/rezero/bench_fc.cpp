#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/linalg.h"
#include "core/parallel.h"
#include "core/precision.h"
#include "core/step.h"
#include "data/text.h"
#include "nn/models/fully_connected.h"
#include "optim/optimizer.h"
#include "tools/rezero/bench.h"
#include "tools/rezero/command.h"
#include "tools/rezero/heap_count.h"
#include "tools/rezero/measurement.h"
#include "tools/rezero/peak.h"
#include "tools/rezero/run.h"
#include "tools/rezero/timing.h"

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

// A training step, again and again over a few batches.
class Training {
 public:
  explicit Training(const BenchOptions& options) : model_(network(options, 1.0 / static_cast<double>(options.depth))) {
    model_.parameters().build(1);
    optim::OptimizerOptions adagrad;
    adagrad.learning_rate = 0.001;
    optimizer_ = optim::Optimizer::create(adagrad);
    optimizer_->prepare(model_.parameters());
    Random random(1, stream_named("bench/data"));
    for (int i = 0; i < 4; ++i) {
      std::vector<std::int64_t> labels(static_cast<std::size_t>(options.batch));
      for (std::int64_t& label : labels) label = static_cast<std::int64_t>(random.below(10));
      examples_.push_back(
          {normal_tensor({options.batch, 3072}, random, DType::f32), Tensor::of_integers({options.batch}, labels)});
    }
  }
  nn::FullyConnected& model() { return model_; }
  std::int64_t operations() const { return operations_; }  // recorded by a step

  void step() {
    const Example& example = examples_[static_cast<std::size_t>(steps_++) % examples_.size()];
    state_.set(steps_, 0.001);
    step_.run([&] {
      Tape tape;
      const Variable loss = softmax_cross_entropy(model_.forward(Variable(example.images)), example.labels);
      operations_ = static_cast<std::int64_t>(tape.size()) - model_.parameters().size();
      tape.backward(loss);
      optimizer_->step(model_.parameters(), state_);
    });
  }

 private:
  nn::FullyConnected model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::vector<Example> examples_;
  Step step_;
  StepState state_;
  std::int64_t steps_ = 0, operations_ = 0;
};

struct Result {
  Times times;
  double gflops = 0, peak_gflops = 0;
  std::int64_t peak_bytes = 0, parameters = 0, operations = 0;
  double tensor_allocations = 0;
  std::optional<double> heap_allocations;  // none in sanitizer builds
};

ProductPrecision products_named(std::string_view word) {
  for (const ProductPrecision precision : {ProductPrecision::high, ProductPrecision::bf16})
    if (word == name(precision)) return precision;
  return ProductPrecision::f32;
}

Result measure(const BenchOptions& options) {
  const auto precision =
      checked_usage("--precision", [&] { return ProductPrecisionScope(products_named(options.precision)); });
  Training training(options);
  Result result;
  for (std::int64_t i = 0; i < options.warmup; ++i) training.step();
  Pool& memory = pool(Device::cpu());
  memory.reset_peak();
  const double peak_before = fma_peak(DType::f32);
  const std::int64_t allocations = memory.statistics().system_allocations;
  for (std::int64_t i = 0; i < options.steps; ++i) result.times.measure([&] { training.step(); });
  result.tensor_allocations =
      static_cast<double>(memory.statistics().system_allocations - allocations) / static_cast<double>(options.steps);
  result.peak_gflops = std::max(peak_before, fma_peak(DType::f32)) / 1e9;
  result.peak_bytes = memory.statistics().peak_bytes;
  result.gflops = product_flops(training.model(), options.batch) / result.times.median_ms() / 1e6;
  result.parameters = training.model().parameters().scalars();
  result.operations = training.operations();
  if (heap_is_counted()) {
    constexpr int steps = 4;
    const HeapCount heap;
    for (int i = 0; i < steps; ++i) training.step();
    result.heap_allocations = static_cast<double>(heap.count()) / steps;
  }
  return result;
}

std::string as_json(const BenchOptions& options, const Result& r) {
  nlohmann::ordered_json json = {{"workload", "fc"},
                                 {"depth", options.depth},
                                 {"width", options.width},
                                 {"batch", options.batch},
                                 {"form", options.form},
                                 {"precision", options.precision},
                                 {"threads", threads()},
                                 {"steps", options.steps},
                                 {"parameters", r.parameters},
                                 {"median_ms", r.times.median_ms()},
                                 {"min_ms", r.times.min_ms()},
                                 {"p90_ms", r.times.p90_ms()},
                                 {"gflops", r.gflops},
                                 {"peak_gflops", r.peak_gflops},
                                 {"fraction_of_peak", r.gflops / r.peak_gflops},
                                 {"peak_bytes", r.peak_bytes},
                                 {"operations_per_step", r.operations},
                                 {"tensor_allocations_per_step", r.tensor_allocations}};
  json["heap_allocations_per_step"] = r.heap_allocations ? nlohmann::ordered_json(*r.heap_allocations) : nullptr;
  const std::string name = fmt::format("fc {} {}x{} batch {} {}", options.form, options.depth, options.width,
                                       options.batch, options.precision);
  return bench_document(std::move(json), {duration(name, r.times)});
}

std::string as_text(const BenchOptions& options, const Result& r) {
  std::string text =
      fmt::format("Training step, {} of depth {} and width {}, batch {}, Adagrad, {}\n{}\n\n", options.form,
                  options.depth, options.width, options.batch, options.precision, machine_line());
  const auto line = [&](std::string_view label, std::string_view value) {
    text += fmt::format("  {:<32}{}\n", label, value);
  };
  line("median", fmt::format("{:.2f} ms", r.times.median_ms()));
  line("fastest, 90th percentile", fmt::format("{:.2f} ms, {:.2f} ms", r.times.min_ms(), r.times.p90_ms()));
  line("matrix products", fmt::format("{:.1f} GFLOP/s, {:.0f} % of the FMA peak of {:.0f}", r.gflops,
                                      100 * r.gflops / r.peak_gflops, r.peak_gflops));
  line("parameters", grouped(static_cast<std::uint64_t>(r.parameters)));
  line("peak memory of tensors", byte_text(static_cast<std::uint64_t>(r.peak_bytes)));
  line("recorded operations", fmt::format("{} per step", r.operations));
  line("tensor memory from the system", fmt::format("{:g} times per step", r.tensor_allocations));
  line("heap allocations",
       r.heap_allocations ? fmt::format("{:g} per step", *r.heap_allocations) : "not counted in sanitizer builds");
  return text;
}

}  // namespace

BenchResult bench_fc(const BenchOptions& options) {
  const Result result = measure(options);
  return {as_text(options, result), as_json(options, result)};
}

}  // namespace rz::tool
