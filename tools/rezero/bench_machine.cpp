#include <fmt/format.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/ops.h"
#include "core/parallel.h"
#include "core/random.h"
#include "tools/rezero/bench.h"
#include "tools/rezero/peak.h"
#include "tools/rezero/run.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/timing.h"

namespace rz::tool {
namespace {

struct TimedProduct {  // c [m, n] = op(a) op(b), inner extent k; "nt": b transposed
  const char* operands;
  DType dtype;
  std::int64_t m, n, k;
};
// A layer's forward, input gradient and weight gradient; the input layer's forward and weight gradient; the output
// layer; a large one. In f64 those of a Jacobian of width 256.
constexpr TimedProduct products[] = {
    {"nt", DType::f32, 128, 256, 256},    {"nn", DType::f32, 128, 256, 256},  {"tn", DType::f32, 256, 256, 128},
    {"nt", DType::f32, 128, 256, 3072},   {"tn", DType::f32, 256, 3072, 128}, {"nt", DType::f32, 128, 10, 256},
    {"nn", DType::f32, 1024, 1024, 1024}, {"nt", DType::f64, 256, 256, 256},  {"nn", DType::f64, 256, 256, 256},
    {"nn", DType::f64, 1024, 1024, 1024},
};

double gflops_of(const TimedProduct& p) {
  const Transpose a = p.operands[0] == 't' ? Transpose::yes : Transpose::no;
  const Transpose b = p.operands[1] == 't' ? Transpose::yes : Transpose::no;
  Random random(1, stream_named("bench/gemm"));
  const Tensor left = normal_tensor(a == Transpose::yes ? Shape{p.k, p.m} : Shape{p.m, p.k}, random, p.dtype);
  const Tensor right = normal_tensor(b == Transpose::yes ? Shape{p.n, p.k} : Shape{p.k, p.n}, random, p.dtype);
  const Destination c{Tensor({p.m, p.n}, p.dtype)};
  Times times;
  const double end = seconds_now() + 0.08;
  for (int i = 0; i < 5 || seconds_now() < end; ++i) {
    times.measure([&] { ops::gemm(a, left, b, right, c); });
    if (i == 0) times = {};  // the first one warms up
  }
  return 2e-6 * static_cast<double>(p.m * p.n * p.k) / times.median_ms();
}

struct MachineSpeeds {  // of one number of threads
  int threads;
  double peak_f32, peak_f64;                                    // GFLOP/s
  double read_cache, read_memory, update_cache, update_memory;  // GB/s
  std::vector<double> products;                                 // GFLOP/s
  double peak(DType dtype) const { return dtype == DType::f32 ? peak_f32 : peak_f64; }
};

constexpr std::size_t cache_bytes = std::size_t{1} << 20;  // per thread

MachineSpeeds measure(int count) {
  set_threads(count);
  const std::size_t cached = cache_bytes * static_cast<std::size_t>(count);
  MachineSpeeds m{count,
                  fma_peak(DType::f32) / 1e9,
                  fma_peak(DType::f64) / 1e9,
                  read_bandwidth(cached) / 1e9,
                  read_bandwidth(memory_bytes) / 1e9,
                  update_bandwidth(cached) / 1e9,
                  update_bandwidth(memory_bytes) / 1e9,
                  {}};
  for (const TimedProduct& product : products) m.products.push_back(gflops_of(product));
  return m;
}

std::string as_json(const std::vector<MachineSpeeds>& columns) {
  using Json = nlohmann::ordered_json;
  const auto list = [&](auto&& value) {
    Json out = Json::array();
    for (const MachineSpeeds& m : columns) out.push_back(value(m));
    return out;
  };
  Json gemm = Json::array();
  for (std::size_t i = 0; i < std::size(products); ++i) {
    const TimedProduct& p = products[i];
    gemm.push_back(
        {{"operands", p.operands},
         {"dtype", name(p.dtype)},
         {"m", p.m},
         {"n", p.n},
         {"k", p.k},
         {"gflops", list([&](const MachineSpeeds& m) { return m.products[i]; })},
         {"fraction_of_peak", list([&](const MachineSpeeds& m) { return m.products[i] / m.peak(p.dtype); })}});
  }
  const Json json = {{"machine", machine_line()},
                     {"blas", blas_text()},
                     {"threads", list([](const MachineSpeeds& m) { return m.threads; })},
                     {"fma_peak_gflops",
                      {{"f32", list([](const MachineSpeeds& m) { return m.peak_f32; })},
                       {"f64", list([](const MachineSpeeds& m) { return m.peak_f64; })}}},
                     {"bandwidth_gb_per_s",
                      {{"cache_bytes_per_thread", cache_bytes},
                       {"memory_bytes", memory_bytes},
                       {"read_cache", list([](const MachineSpeeds& m) { return m.read_cache; })},
                       {"read_memory", list([](const MachineSpeeds& m) { return m.read_memory; })},
                       {"update_cache", list([](const MachineSpeeds& m) { return m.update_cache; })},
                       {"update_memory", list([](const MachineSpeeds& m) { return m.update_memory; })}}},
                     {"gemm", std::move(gemm)}};
  return json.dump() + "\n";
}

std::string as_text(const std::vector<MachineSpeeds>& columns) {
  std::vector<std::vector<std::string>> rows{{"", ""}};
  for (const MachineSpeeds& m : columns)
    rows.front().push_back(fmt::format("{} thread{}", m.threads, m.threads == 1 ? "" : "s"));
  const auto row = [&](std::string label, std::string unit, auto&& cell) {
    rows.push_back({std::move(label), std::move(unit)});
    for (const MachineSpeeds& m : columns) rows.back().push_back(cell(m));
  };
  const auto number = [](double value) { return fmt::format("{:.1f}", value); };
  row("FMA peak, f32", "GFLOP/s", [&](const MachineSpeeds& m) { return number(m.peak_f32); });
  row("FMA peak, f64", "GFLOP/s", [&](const MachineSpeeds& m) { return number(m.peak_f64); });
  row("read, 1 MiB per thread", "GB/s", [&](const MachineSpeeds& m) { return number(m.read_cache); });
  row("read, 256 MiB", "GB/s", [&](const MachineSpeeds& m) { return number(m.read_memory); });
  row("update in place, 1 MiB per thread", "GB/s", [&](const MachineSpeeds& m) { return number(m.update_cache); });
  row("update in place, 256 MiB", "GB/s", [&](const MachineSpeeds& m) { return number(m.update_memory); });
  for (std::size_t i = 0; i < std::size(products); ++i) {
    const TimedProduct& p = products[i];
    row(fmt::format("gemm {} {} {}x{}x{}", name(p.dtype), p.operands, p.m, p.n, p.k), "GFLOP/s",
        [&](const MachineSpeeds& m) {
          return fmt::format("{:.1f} ({:2.0f} %)", m.products[i], 100 * m.products[i] / m.peak(p.dtype));
        });
  }
  return machine_line() + "\n" + blas_text() + "\n\n" + table_text(rows, "ll" + std::string(columns.size(), 'r')) +
         "\ngemm m x n x k: n and t say which operands are transposed; per cent are of the FMA peak of the threads "
         "used. An update\n"
         "in place counts what is read and what is written.\n";
}

}  // namespace

std::string bench_machine(bool json) {
  const int all = threads();
  std::vector<MachineSpeeds> columns{measure(1)};
  if (all > 1) columns.push_back(measure(all));
  return json ? as_json(columns) : as_text(columns);
}

}  // namespace rz::tool
