#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "core/linalg.h"
#include "core/parallel.h"
#include "core/random.h"
#include "nn/models/fully_connected.h"
#include "tools/rezero/bench.h"
#include "tools/rezero/measurement.h"
#include "tools/rezero/run.h"
#include "tools/rezero/timing.h"

namespace rz::tool {

BenchResult bench_jacobian(const BenchOptions& options) {
  nn::FullyConnectedOptions wanted;
  wanted.inputs = {options.width};
  wanted.depth = options.depth;
  wanted.width = options.width;
  wanted.residual.gate = {0.1};
  nn::FullyConnected model(wanted);
  model.parameters().build(1, DType::f64);
  model.set_training(false);
  const nn::Stages chain = model.stages();
  const auto stack = [&](const Variable& x) { return chain.run(x, 0, options.depth); };
  Random random(1, stream_named("bench/data"));
  Times jacobians, svds, totals;
  for (std::int64_t i = 0; i < options.warmup + options.steps; ++i) {
    const Tensor x = normal_tensor({1, options.width}, random, DType::f64);
    const double start = seconds_now();
    const Tensor j = jacobian(stack, x, {.concurrent = true});
    const double middle = seconds_now();
    svdvals(j);
    const double end = seconds_now();
    if (i < options.warmup) continue;
    jacobians.add(middle - start);
    svds.add(end - middle);
    totals.add(end - start);
  }
  const nlohmann::ordered_json json = {{"workload", "jacobian"},
                                       {"depth", options.depth},
                                       {"width", options.width},
                                       {"threads", threads()},
                                       {"steps", options.steps},
                                       {"median_ms", jacobians.median_ms()},
                                       {"min_ms", jacobians.min_ms()},
                                       {"p90_ms", jacobians.p90_ms()},
                                       {"svd_median_ms", svds.median_ms()},
                                       {"total_median_ms", totals.median_ms()}};
  const std::string name = fmt::format("jacobian {}x{} f64", options.depth, options.width);
  const std::vector<Measurement> measurements{duration(name, jacobians), duration(name + ": svdvals", svds),
                                              duration(name + ": both", totals)};
  const std::string text = fmt::format(
      "Jacobian {0} x {0} of a rezero stack of depth {1}, f64\n{2}\n\n"
      "  Jacobian                  median {3:.2f} ms, fastest {4:.2f} ms, 90th percentile {5:.2f} ms\n"
      "  singular values           median {6:.2f} ms\n"
      "  both                      median {7:.2f} ms\n",
      options.width, options.depth, machine_line(), jacobians.median_ms(), jacobians.min_ms(), jacobians.p90_ms(),
      svds.median_ms(), totals.median_ms());
  return {text, bench_document(json, measurements)};
}

}  // namespace rz::tool
