// What a benchmark measured: a time or a rate with its spread, in the JSON documents of `rezero bench` and in tables.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/rezero/timing.h"

namespace rz::tool {

struct Measurement {
  std::string name;  // with type and sizes: two documents are matched by it
  int threads = 0;
  std::string unit;            // "ms", or of a rate "GFLOP/s" or "GB/s"
  double median, low, high;    // low and high: 10th and 90th percentile; equal where there was a single run
  std::optional<double> roof;  // what the machine can do at most, in the same unit
};

// On the threads in use.
Measurement duration(std::string name, const Times& times);  // ms
// A run does `giga` times 10^9 of what the unit counts per second.
Measurement rate(std::string name, std::string unit, double giga, const Times& times,
                 std::optional<double> roof = std::nullopt);

bool larger_is_better(const Measurement& m);  // of rates; of times smaller is
bool has_spread(const Measurement& m);        // more than one run

// The document of a benchmark, a line of JSON: its own fields, the machine, the measurements.
std::string bench_document(nlohmann::ordered_json fields, const std::vector<Measurement>& measurements);

struct BenchDocument {
  std::string path;     // absolute
  std::string machine;  // "" where the document does not say
  std::vector<Measurement> measurements;
};
BenchDocument read_bench_document(std::string_view path);  // Throws: file (unreadable, no JSON, no measurements)

// Cells of tables.
std::string value_text(double value);            // "0.123", "9.87", "98.7", "987"
std::string reached_text(const Measurement& m);  // median and per cent of the roof: "98.7 (93 %)"
std::string spread_text(const Measurement& m);   // "98.7 [90.1, 99.0]"
std::string threads_text(std::int64_t threads);  // "1 thread", "2 threads"
// A row per name, with a column of cells per number of threads.
std::string measurement_table(const std::string& what, const std::vector<Measurement>& measurements,
                              const std::function<std::string(const Measurement&)>& cell);

}  // namespace rz::tool
