#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/ops.h"
#include "core/parallel.h"
#include "data/text.h"
#include "optim/optimizer.h"
#include "tools/rezero/bench.h"
#include "tools/rezero/measurement.h"
#include "tools/rezero/peak.h"
#include "tools/rezero/run.h"
#include "tools/rezero/timing.h"

namespace rz::tool {
namespace {

constexpr std::int64_t side = 1024;  // of the matrices that the weights stand in

// Matrices, and one more of a single row for the rest.
void declare(ParameterStore& store, std::int64_t parameters) {
  const Initializer ones = [](std::span<double> values, Random&) { std::ranges::fill(values, 1.0); };
  for (std::int64_t left = parameters; left > 0; left -= std::min(left, side * side))
    store.declare("weight" + std::to_string(left), left < side * side ? Shape{1, left} : Shape{side, side},
                  Role::weight, ones);
  store.build(1);
}

// The gradient is read for the norm and for the update; value and slots are read and written. LAMB's directions and
// Muon's products come on top.
std::int64_t bytes_per_parameter(const ParameterStore& store) {
  return static_cast<std::int64_t>(size_of(DType::f32)) * (2 + 2 + 2 * std::ssize(store.slot_names()));
}

// Whether weights, gradients and state stay in a cache between steps, so that memory is not what is measured. Unknown
// caches have size 0.
bool fits_cache(const ParameterStore& store, std::int64_t parameters) {
  const auto bytes = static_cast<std::int64_t>(size_of(DType::f32)) * (2 + std::ssize(store.slot_names())) * parameters;
  return bytes <= std::max(sysconf(_SC_LEVEL2_CACHE_SIZE), sysconf(_SC_LEVEL3_CACHE_SIZE));
}

// Seconds for as many bytes by an update in place.
double seconds_in_place(std::int64_t bytes) { return static_cast<double>(bytes) / update_rates(memory_bytes, 1)[0]; }

}  // namespace

BenchResult bench_optimizer(const BenchOptions& options) {
  ParameterStore store;
  declare(store, options.parameters);
  const auto optimizer = optim::Optimizer::create({.name = options.optimizer});
  optimizer->prepare(store);
  ops::fill(store.gradients(), 0.01);
  StepState state;
  std::int64_t step = 0;
  const auto run = [&] {
    state.set(++step, optimizer->learning_rate());
    optimizer->step(store, state);
  };
  const std::int64_t bytes = bytes_per_parameter(store) * options.parameters;
  for (std::int64_t i = 0; i < options.warmup; ++i) run();
  Times times, in_place;  // in turn: what else runs on the machine slows both
  for (std::int64_t i = 0; i < options.steps; ++i) {
    times.measure(run);
    in_place.add(seconds_in_place(bytes));
  }
  const double speed = static_cast<double>(bytes) / times.median_ms() / 1e6;
  const double memory = static_cast<double>(bytes) / in_place.median_ms() / 1e6;
  const bool fits = fits_cache(store, options.parameters);
  const nlohmann::ordered_json json = {
      {"workload", "optimizer"},  {"name", options.optimizer},    {"parameters", options.parameters},
      {"threads", threads()},     {"steps", options.steps},       {"median_ms", times.median_ms()},
      {"min_ms", times.min_ms()}, {"p90_ms", times.p90_ms()},     {"bytes_per_step", bytes},
      {"gb_per_s", speed},        {"bandwidth_gb_per_s", memory}, {"fraction_of_bandwidth", speed / memory},
      {"fits_cache", fits}};
  const Measurement measurement = rate(fmt::format("{} of {} f32", options.optimizer, options.parameters), "GB/s",
                                       1e-9 * static_cast<double>(bytes), times, memory);
  const std::string text = fmt::format(
      "Update by {} of {} weights, f32\n{}\n\n"
      "  step                      median {:.2f} ms, fastest {:.2f} ms, 90th percentile {:.2f} ms\n"
      "  memory                    {:.1f} GB/s, {:.0f} % of the {:.1f} of an update in place\n{}",
      options.optimizer, grouped(static_cast<std::uint64_t>(options.parameters)), machine_line(), times.median_ms(),
      times.min_ms(), times.p90_ms(), speed, 100 * speed / memory, memory,
      fits ? "  note                      so few weights fit the cache: memory is not what bounds the step\n" : "");
  return {text, bench_document(json, {measurement})};
}

}  // namespace rz::tool
