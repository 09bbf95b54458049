#include "tools/rezero/reference_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string_view>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/cpu/isa.h"
#include "core/step.h"
#include "data/loader.h"
#include "data/shapes.h"
#include "nn/models/fully_connected.h"
#include "optim/optimizer.h"
#include "tools/rezero/run.h"

namespace rz::tool {
namespace {

// Odd sizes: kernels and BLAS libraries go wrong at the edges of their blocks.
constexpr std::int64_t net_depth = 16, net_width = 133, batch_size = 65, batches = 20;
constexpr double rate = 0.02;

constexpr std::size_t stored = 4;
constexpr int stored_steps[stored] = {1, 20, 80, 240};
constexpr double stored_losses[stored] = {2.4273495471937214, 2.2916805933307303, 2.207102079948284,
                                          1.8463206775657275};
// Largest relative differences. Builds, instruction sets and BLAS kernels that round differently stay within 4e-16 in
// f64, and in f32 within 2e-7, 2e-7, 3e-5 and 2e-3: rounding takes units of ReLU across their kink, one in a while.
// One number of each product off by 5 % breaks them.
constexpr double f64_tolerances[stored] = {1e-12, 1e-11, 1e-10, 1e-9};
constexpr double f32_tolerances[stored] = {1e-6, 1e-5, 5e-4, 1e-2};

// f32 losses of single builds. Bits are promised between numbers of threads and from run to run of one build, not from
// version to version: another compiler, C library or order of summation in a kernel may move the last ones. So the page
// says whether they agree, and no check fails by it. `rezero doctor --json` prints a row as "bits".
struct BitsRow {
  std::string_view isa, blas;
  float losses[stored];
};
constexpr BitsRow bits_rows[] = {
    {"avx512", "OpenBLAS 0.3.21 (Cooperlake)", {2.42734957F, 2.29168057F, 2.20705867F, 1.84455025F}},
    {"avx512", "OpenBLAS 0.3.21 (SkylakeX)", {2.42734957F, 2.29168034F, 2.20713425F, 1.84530294F}},
    {"avx2", "OpenBLAS 0.3.21 (Haswell)", {2.42734957F, 2.29168057F, 2.20705867F, 1.84447002F}},
    {"avx2", "OpenBLAS 0.3.21 (Zen)", {2.42734957F, 2.29168057F, 2.20705867F, 1.84447002F}},
    {"baseline", "OpenBLAS 0.3.21 (Nehalem)", {2.42734957F, 2.29168057F, 2.20710206F, 1.84608543F}},
};

}  // namespace

std::vector<double> reference_losses(DType precision, int steps) {
  ShapesOptions shapes;
  shapes.train = batch_size * batches;
  shapes.validation = 1;
  const DataSplits data = make_shapes(shapes);
  nn::FullyConnected net({.depth = net_depth, .width = net_width, .residual = {.form = nn::Form::rezero}});
  net.parameters().build(1, precision);
  const auto optimizer = optim::Optimizer::create({.name = "sgd", .learning_rate = rate});
  Loader loader(data.train, {.batch_size = batch_size, .dtype = precision});
  StepState state;
  Batch batch;
  std::vector<double> losses;
  for (std::int64_t epoch = 0; std::ssize(losses) < steps; ++epoch) {
    for (loader.start(epoch); std::ssize(losses) < steps && loader.next(batch);) {
      Tape tape;
      const Variable loss = softmax_cross_entropy(net(batch.inputs), batch.labels);
      tape.backward(loss);
      losses.push_back(loss.item());
      state.set(std::ssize(losses), rate);
      optimizer->step(net.parameters(), state);
    }
  }
  return losses;
}

LossComparison compare_losses(DType precision, std::span<const double> losses) {
  const double* const tolerances = precision == DType::f32 ? f32_tolerances : f64_tolerances;
  const auto* row = std::ranges::find_if(
      bits_rows, [blas = blas_text()](const BitsRow& r) { return r.isa == cpu_kernels() && r.blas == blas; });
  LossComparison result;
  result.bits_known = precision == DType::f32 && row != std::end(bits_rows);
  result.bits_equal = result.bits_known;
  for (std::size_t k = 0; k < stored; ++k) {
    const auto step = static_cast<std::size_t>(stored_steps[k]);
    if (step > losses.size()) break;
    const double loss = losses[step - 1], difference = std::fabs(loss / stored_losses[k] - 1) / tolerances[k];
    const double finite = std::isfinite(difference) ? difference : std::numeric_limits<double>::infinity();
    result.worst = std::max(result.worst, finite);
    result.bits_equal = result.bits_equal && loss == static_cast<double>(row->losses[k]);
  }
  result.close = result.worst <= 1;
  return result;
}

std::string bits_row(std::span<const double> losses) {
  std::string row = fmt::format("{{\"{}\", \"{}\", {{", cpu_kernels(), blas_text());
  for (const char* separator = ""; const int step : stored_steps) {
    if (static_cast<std::size_t>(step) > losses.size()) break;
    row += fmt::format("{}{:.9g}F", separator, losses[static_cast<std::size_t>(step) - 1]);
    separator = ", ";
  }
  return row + "}}";
}

}  // namespace rz::tool
