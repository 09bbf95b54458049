#include <fmt/format.h>

#include <atomic>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "tools/rezero/bench.h"
#include "tools/rezero/bench_kernels.h"
#include "tools/rezero/measurement.h"
#include "tools/rezero/peak.h"
#include "tools/rezero/run.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/timing.h"

namespace rz::tool {
namespace {

struct RoofKind {
  const char* name;
  const char* unit;
  std::vector<double> (*rates)();  // per second, of a few rounds
};
std::size_t cache_bytes() { return cache_bytes_per_thread * static_cast<std::size_t>(threads()); }
// In the order of Roof.
constexpr RoofKind roof_kinds[] = {
    {"FMA peak f32", "GFLOP/s", [] { return fma_rates(DType::f32, 3); }},
    {"FMA peak f64", "GFLOP/s", [] { return fma_rates(DType::f64, 3); }},
    {"read, 1 MiB per thread", "GB/s", [] { return read_rates(cache_bytes(), 3); }},
    {"update in place, 1 MiB per thread", "GB/s", [] { return update_rates(cache_bytes(), 3); }},
    {"read, 256 MiB", "GB/s", [] { return read_rates(memory_bytes, 2); }},
    {"update in place, 256 MiB", "GB/s", [] { return update_rates(memory_bytes, 2); }},
};

struct MachineColumn {  // of one number of threads
  int threads;
  std::vector<Measurement> roofs, kernels;
  std::optional<Measurement> fork_join;  // of more than one
  double roof(Roof kind) const { return *roofs[static_cast<std::size_t>(kind)].roof; }
};

// The first run finds the caches full of other data: one of very many, or of kernels so long that it does not matter.
void run_for_a_while(const Kernel& kernel, Times& times) {
  const double end = seconds_now() + 0.012;
  do times.measure(kernel.run);
  while (seconds_now() < end);
}

// The best round is the roof.
Measurement roof_of(const RoofKind& kind, const Times& times) {
  return rate(kind.name, kind.unit, 1, times, 1e3 / times.min_ms());
}

// What the pool costs while nobody sleeps: each thread takes a piece, which ends when all have begun (or soon after, if
// a thread has lost its core), again and again.
Measurement measure_fork_join() {
  constexpr int joins = 1000, rounds = 15, patience = 100'000;
  Times times;
  const auto run = [] {
    std::atomic<int> begun{0};
    for (int join = 1; join <= joins; ++join) {
      parallel_for(threads(), [&](std::int64_t) {
        ++begun;
        for (int i = 0; i < patience && begun.load() < join * threads(); ++i) continue;
      });
    }
  };
  run();
  for (int round = 0; round < rounds; ++round) times.measure(run);
  const auto at = [&](double quantile) { return 1e3 / joins * times.quantile_ms(quantile); };
  return {"fork-join", threads(), "us", at(0.5), at(0.1), at(0.9), std::nullopt};
}

// Everything in turns: what else runs on the machine slows all of it, and the spread shows it.
MachineColumn measure(int count) {
  set_threads(count);
  constexpr int turns = 5;
  const std::vector<Kernel> kernels = bench_kernels();
  std::vector<Times> roof_times(std::size(roof_kinds)), kernel_times(kernels.size());  // of a roof: seconds for 10^9
  for (const Kernel& kernel : kernels) kernel.run();  // warms up: memory and helper threads are there from now on
  for (int turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < std::size(roof_kinds); ++i)
      for (const double per_second : roof_kinds[i].rates()) roof_times[i].add(1e9 / per_second);
    for (std::size_t i = 0; i < kernels.size(); ++i) run_for_a_while(kernels[i], kernel_times[i]);
  }
  MachineColumn column{count, {}, {}, {}};
  if (count > 1) column.fork_join = measure_fork_join();
  for (std::size_t i = 0; i < std::size(roof_kinds); ++i) column.roofs.push_back(roof_of(roof_kinds[i], roof_times[i]));
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const auto& [name, roof, giga, run] = kernels[i];
    const char* const unit = roof_kinds[static_cast<std::size_t>(roof)].unit;
    column.kernels.push_back(rate(name, unit, giga, kernel_times[i], column.roof(roof)));
  }
  return column;
}

std::vector<Measurement> all(const std::vector<MachineColumn>& columns,
                             std::vector<Measurement> MachineColumn::* part) {
  std::vector<Measurement> joined;
  for (const MachineColumn& column : columns) joined.insert(joined.end(), (column.*part).begin(), (column.*part).end());
  return joined;
}

std::string as_json(const std::vector<MachineColumn>& columns) {
  using Json = nlohmann::ordered_json;
  const auto list = [&](auto&& value) {
    Json out = Json::array();
    for (const MachineColumn& column : columns) out.push_back(value(column));
    return out;
  };
  const auto roof = [&](Roof kind) { return list([&](const MachineColumn& column) { return column.roof(kind); }); };
  std::vector<Measurement> measurements = all(columns, &MachineColumn::roofs);
  for (Measurement& m : all(columns, &MachineColumn::kernels)) measurements.push_back(std::move(m));
  for (const MachineColumn& column : columns)
    if (column.fork_join) measurements.push_back(*column.fork_join);
  return bench_document({{"workload", "machine"},
                         {"blas", blas_text()},
                         {"threads", list([](const MachineColumn& column) { return column.threads; })},
                         {"fma_peak_gflops", {{"f32", roof(Roof::fma_f32)}, {"f64", roof(Roof::fma_f64)}}},
                         {"bandwidth_gb_per_s",
                          {{"cache_bytes_per_thread", cache_bytes_per_thread},
                           {"memory_bytes", memory_bytes},
                           {"read_cache", roof(Roof::read_cache)},
                           {"read_memory", roof(Roof::read_memory)},
                           {"update_cache", roof(Roof::update_cache)},
                           {"update_memory", roof(Roof::update_memory)}}}},
                        measurements);
}

std::string as_text(const std::vector<MachineColumn>& columns) {
  const auto roof = [](const Measurement& m) { return value_text(*m.roof); };
  std::string pool;
  for (const MachineColumn& column : columns)
    if (column.fork_join)
      pool += fmt::format("\nfork-join of {} warm threads: {} us\n", column.threads, spread_text(*column.fork_join));
  return machine_line() + "\n" + blas_text() + "\n\n" +
         measurement_table("roof", all(columns, &MachineColumn::roofs), roof) + "\n" +
         measurement_table("kernel", all(columns, &MachineColumn::kernels), reached_text) + pool +
         "\nRoofs are the best of several rounds; kernels are medians, with per cent of the roof of the threads\n"
         "used: products of the FMA peak, sum_of_squares of reading, the others of an update in place.\n"
         "gemm m x n x k: n and t say which operands are transposed; bf16 may pass the f32 peak.\n"
         "The arrays of a kernel fill 1 MiB per thread, or 256 MiB. Each counts once if it is read or written,\n"
         "twice if it is updated in place. A roof is over one array; over several, memory may be faster.\n"
         "Rows have 256 elements, those of softmax_cross_entropy (with its gradient) 1000.\n";
}

}  // namespace

BenchResult bench_machine() {
  const int all_threads = threads();
  std::vector<MachineColumn> columns{measure(1)};
  if (all_threads > 1) columns.push_back(measure(all_threads));
  return {as_text(columns), as_json(columns)};
}

}  // namespace rz::tool
