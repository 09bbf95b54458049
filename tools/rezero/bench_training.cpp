#include "tools/rezero/bench_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "autograd/tape.h"
#include "core/parallel.h"
#include "core/step.h"
#include "data/text.h"
#include "optim/optimizer.h"
#include "tools/rezero/heap_count.h"
#include "tools/rezero/measurement.h"
#include "tools/rezero/peak.h"
#include "tools/rezero/run.h"

namespace rz::tool {
namespace {

class Training {
 public:
  explicit Training(const TrainingWork& work) : work_(work), optimizer_(optim::Optimizer::create(work.optimizer)) {
    optimizer_->prepare(work.model.parameters());
    for (int i = 0; i < work.model.parameters().size(); ++i)
      leaves_ += work.model.parameters()[i].role() != Role::buffer;
  }
  std::int64_t operations() const { return operations_; }  // recorded by a step

  void step() {
    const std::int64_t index = steps_++;
    ParameterStore& parameters = work_.model.parameters();
    state_.set(steps_, optimizer_->learning_rate());
    step_.run([&] {
      Tape tape;
      const Variable loss = work_.loss(index);
      operations_ = static_cast<std::int64_t>(tape.size()) - leaves_;
      tape.backward(loss);
      optimizer_->step(parameters, state_);
      work_.model.update_statistics(state_);
    });
  }

 private:
  const TrainingWork& work_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  Step step_;
  StepState state_;
  std::int64_t steps_ = 0, operations_ = 0, leaves_ = 0;
};

nlohmann::ordered_json as_json(nlohmann::ordered_json json, const TrainingResult& r, const BenchOptions& options) {
  json.update({{"threads", threads()},
               {"steps", options.steps},
               {"parameters", r.parameters},
               {"median_ms", r.times.median_ms()},
               {"min_ms", r.times.min_ms()},
               {"p90_ms", r.times.p90_ms()}});
  if (r.tokens_per_second) json["tokens_per_second"] = *r.tokens_per_second;
  json.update({{"gflops", r.gflops},
               {"peak_gflops", r.peak_gflops},
               {"fraction_of_peak", r.gflops / r.peak_gflops},
               {"peak_bytes", r.peak_bytes},
               {"operations_per_step", r.operations},
               {"tensor_allocations_per_step", r.tensor_allocations}});
  json["heap_allocations_per_step"] = r.heap_allocations ? nlohmann::ordered_json(*r.heap_allocations) : nullptr;
  return json;
}

std::string as_text(const std::string& title, const TrainingResult& r) {
  std::string text = fmt::format("Training step, {}\n{}\n\n", title, machine_line());
  const auto line = [&](std::string_view label, std::string_view value) {
    text += fmt::format("  {:<32}{}\n", label, value);
  };
  line("median", fmt::format("{:.2f} ms", r.times.median_ms()));
  line("fastest, 90th percentile", fmt::format("{:.2f} ms, {:.2f} ms", r.times.min_ms(), r.times.p90_ms()));
  if (r.tokens_per_second)
    line("tokens", fmt::format("{} per second", grouped(static_cast<std::uint64_t>(*r.tokens_per_second))));
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

double heap_allocations(Training& training) {
  constexpr int steps = 4;
  const HeapCount heap;
  for (int i = 0; i < steps; ++i) training.step();
  return static_cast<double>(heap.count()) / steps;
}

}  // namespace

TrainingResult measure_training(const TrainingWork& work, const BenchOptions& options) {
  Training training(work);
  TrainingResult result;
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
  result.gflops = work.product_flops / result.times.median_ms() / 1e6;
  result.parameters = work.model.parameters().scalars();
  result.operations = training.operations();
  if (work.tokens > 0) result.tokens_per_second = 1e3 * static_cast<double>(work.tokens) / result.times.median_ms();
  if (heap_is_counted()) result.heap_allocations = heap_allocations(training);
  return result;
}

BenchResult training_report(const std::string& title, nlohmann::ordered_json fields, const std::string& name,
                            const TrainingResult& result, const BenchOptions& options) {
  return {as_text(title, result),
          bench_document(as_json(std::move(fields), result, options), {duration(name, result.times)})};
}

}  // namespace rz::tool
