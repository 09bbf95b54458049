// What the benchmarks of whole training steps have in common: the step, what is measured of it, text and document.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "autograd/variable.h"
#include "nn/module.h"
#include "optim/options.h"
#include "tools/rezero/bench.h"
#include "tools/rezero/timing.h"

namespace rz::tool {

// Forward, loss, backward and update; again and again over a few batches.
struct TrainingWork {
  nn::Model& model;  // its parameters were drawn
  optim::OptimizerOptions optimizer;
  std::function<Variable(std::int64_t step)> loss;  // of the step's batch
  double product_flops = 0;                         // of a step's matrix products
  std::int64_t tokens = 0;                          // of a step; 0: the examples are no text
};

struct TrainingResult {
  Times times;
  double gflops = 0, peak_gflops = 0;  // of the matrix products; of the threads in use, measured before and after
  std::int64_t peak_bytes = 0, parameters = 0, operations = 0;  // operations: recorded by a step
  double tensor_allocations = 0;
  std::optional<double> heap_allocations;   // none in sanitizer builds
  std::optional<double> tokens_per_second;  // of text
};

TrainingResult measure_training(const TrainingWork& work, const BenchOptions& options);

// `title`: what is trained, how; `fields`: workload and sizes; `name`: of the measurement.
BenchResult training_report(const std::string& title, nlohmann::ordered_json fields, const std::string& name,
                            const TrainingResult& result, const BenchOptions& options);

}  // namespace rz::tool
