#include "tools/isometry/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include "core/linalg.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "tools/isometry/product.h"

namespace rz::isometry {
namespace {

// Counts what is done on any thread.
class Counter {
 public:
  Counter(const MeasureOptions& options, std::int64_t total) : options_(options), total_(total) {}
  void add() {
    const std::lock_guard lock(mutex_);
    options_.progress(static_cast<double>(++done_) / static_cast<double>(total_));
  }

 private:
  const MeasureOptions& options_;
  std::int64_t total_, done_ = 0;
  std::mutex mutex_;
};

// f' of a value that is not finite may well be: the Jacobian would look right.
void check_state(const Tensor& h, std::int64_t layer, std::int64_t sample) {
  RZ_CHECK(value, std::isfinite(ops::sum_of_squares(h).item()),
           "spectrum: hidden state {} of sample {} is not finite: its length has grown beyond the range of numbers",
           layer, sample);
}

// Feeds the chain stage by stage; after(l) is called when stage l, from 1, is in the product.
template <class After>
void chain(const Part& part, const Tensor& x, std::int64_t sample, const MeasureOptions& options,
           ProductSpectrum& product, After&& after) {
  Tensor h = input_of(part, x);
  check_state(h, part.from, sample);
  for (std::size_t l = 0; l < part.stages.size(); ++l) {
    const Tensor j = jacobian_of(part, part.stages[l], h, {.memory = options.memory, .concurrent = true});
    const std::int64_t layer = part.from + static_cast<std::int64_t>(l) + 1;
    check_finite(j, "spectrum", fmt::format("the Jacobian of layer {} at sample {}", layer, sample));
    product.push(j.to(Device::cpu()).to(DType::f64));
    h = part.stages[l](Variable(h)).value();
    check_state(h, layer, sample);
    after(l + 1);
  }
}

}  // namespace

std::int64_t exact_bytes(const Extents& extents, DType precision) {
  return 2 * extents.rows * extents.cols * static_cast<std::int64_t>(size_of(precision));
}

std::int64_t product_bytes(const Part& part, const Tensor& x) {
  std::int64_t widest = x.elements();
  Variable h{x};
  for (const Function& stage : part.stages) {
    h = stage(h);
    widest = std::max(widest, h.value().elements());
  }
  return 8 * widest * widest * 8;
}

std::vector<SampleSpectrum> exact_spectra(const Part& part, const Tensor& inputs, const MeasureOptions& options) {
  const std::int64_t count = samples(part, inputs);
  const std::int64_t each = exact_bytes(extents(part, inputs), inputs.dtype());
  if (each > options.memory)
    throw BudgetError(fmt::format("spectrum: J and its SVD take {} bytes, the budget is {}", each, options.memory),
                      each);
  const std::int64_t group = std::clamp<std::int64_t>(options.memory / each, 1, threads());
  std::vector<SampleSpectrum> all;
  for (std::int64_t first = 0; first < count; first += group) {
    std::vector<Tensor> matrices;
    for (std::int64_t i = first; i < std::min(count, first + group); ++i) {
      Tensor h = input_of(part, sample(part, inputs, i));
      for (std::size_t l = 0; l < part.stages.size(); ++l) {
        h = part.stages[l](Variable(h)).value();
        check_state(h, part.from + static_cast<std::int64_t>(l) + 1, i);
      }
      const JacobianOptions how{.memory = options.memory, .concurrent = true};
      matrices.push_back(jacobian(part, sample(part, inputs, i), how).to(Device::cpu()));
      check_finite(matrices.back(), "jacobian", fmt::format("the Jacobian of sample {}", i));
      if (options.look) options.look(matrices.back());
    }
    for (SampleSpectrum& spectrum : spectra(matrices)) all.push_back(std::move(spectrum));
    options.progress(static_cast<double>(all.size()) / static_cast<double>(count));
  }
  return all;
}

std::vector<SampleSpectrum> product_spectra(const Part& part, const Tensor& inputs, const MeasureOptions& options) {
  const std::int64_t count = samples(part, inputs);
  const std::int64_t each = product_bytes(part, input_of(part, sample(part, inputs, 0)));
  if (each > options.memory)
    throw BudgetError(
        fmt::format("spectrum: the product's matrices take {} bytes, the budget is {}", each, options.memory), each);
  const std::int64_t group = std::clamp<std::int64_t>(options.memory / each, 1, threads());
  Counter counter(options, count * std::ssize(part.stages));
  std::vector<SampleSpectrum> all(static_cast<std::size_t>(count));
  for (std::int64_t first = 0; first < count; first += group) {
    parallel_for(std::min(group, count - first), [&](std::int64_t k) {
      ProductSpectrum product;
      chain(part, sample(part, inputs, first + k), first + k, options, product, [&](std::size_t) { counter.add(); });
      all[static_cast<std::size_t>(first + k)] = product.finish();
    });
  }
  return all;
}

Result result_of(std::vector<SampleSpectrum> samples, const Part& part, const Extents& extents, DType precision) {
  Result result = result_of(std::move(samples), extents.rows, extents.cols, part.of, precision);
  result.statistics = part.statistics;
  if (part.of == "stack") {
    result.from = part.from;
    result.to = part.to;
  }
  return result;
}

std::vector<SampleSpectrum> partial_spectra(const Part& part, const Tensor& x, std::span<const std::size_t> layers,
                                            const MeasureOptions& options) {
  std::vector<SampleSpectrum> partial;
  ProductSpectrum product;
  Counter counter(options, std::ssize(part.stages));
  chain(part, x, 0, options, product, [&](std::size_t layer) {
    if (std::ranges::find(layers, layer) != layers.end()) partial.push_back(product.finish());
    counter.add();
  });
  return partial;
}

}  // namespace rz::isometry
