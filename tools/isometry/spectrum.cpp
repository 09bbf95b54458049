#include "tools/isometry/spectrum.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/error.h"
#include "core/linalg.h"
#include "core/parallel.h"

namespace rz::isometry {
namespace {

std::size_t count(std::int64_t n) { return static_cast<std::size_t>(n); }

// `a` without its rows and columns of zeros; `a` itself when there are none, undefined when nothing is left.
template <class T>
Tensor without_zeros(const Tensor& a) {
  const std::int64_t m = a.shape()[0], n = a.shape()[1];
  const T* data = a.data<T>();
  std::vector<std::int64_t> rows, columns;
  std::vector<char> column_used(count(n));
  for (std::int64_t i = 0; i < m; ++i) {
    bool used = false;
    for (std::int64_t j = 0; j < n; ++j) {
      const bool nonzero = data[i * n + j] != 0;
      used |= nonzero;
      column_used[count(j)] |= static_cast<char>(nonzero);
    }
    if (used) rows.push_back(i);
  }
  for (std::int64_t j = 0; j < n; ++j) {
    if (column_used[count(j)]) columns.push_back(j);
  }
  if (rows.empty()) return {};
  if (std::ssize(rows) == m && std::ssize(columns) == n) return a;
  Tensor rest({std::ssize(rows), std::ssize(columns)}, a.dtype());
  T* out = rest.data<T>();
  for (const std::int64_t i : rows) {
    for (const std::int64_t j : columns) *out++ = data[i * n + j];
  }
  return rest;
}

}  // namespace

SampleSpectrum spectrum(const Tensor& jacobian, std::string_view what) {
  const Shape& shape = jacobian.shape();
  RZ_CHECK(shape, jacobian.defined() && shape.rank() == 2 && shape.elements() > 0,
           "spectrum: {} {} must be a matrix with at least one element", what, shape);
  RZ_CHECK(dtype, is_real(jacobian.dtype()), "spectrum: {} is {}, but must be f32 or f64", what, jacobian.dtype());
  const bool is_f32 = jacobian.dtype() == DType::f32;
  const Tensor a = jacobian.to(Device::cpu());
  check_finite(a, "spectrum", what);  // here, where rows and columns still have their own numbers
  const Tensor rest = is_f32 ? without_zeros<float>(a) : without_zeros<double>(a);

  SampleSpectrum sample;
  if (rest.defined()) sample.singular_values = svdvals(rest, what);
  const std::int64_t k = std::min(shape[0], shape[1]);
  sample.exact_zeros = k - std::ssize(sample.singular_values);
  sample.singular_values.resize(count(k), 0.0);
  const double eps = is_f32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  sample.floor = static_cast<double>(std::max(shape[0], shape[1])) * eps * sample.singular_values.front();
  sample.resolved = std::count_if(sample.singular_values.begin(), sample.singular_values.end(),
                                  [&](double sigma) { return sigma > sample.floor; });
  return sample;
}

std::vector<SampleSpectrum> spectra(std::span<const Tensor> jacobians) {
  std::vector<SampleSpectrum> samples(jacobians.size());
  parallel_for(std::ssize(jacobians), [&](std::int64_t i) {
    samples[count(i)] = spectrum(jacobians[count(i)], fmt::format("Jacobian of sample {}", i));
  });
  return samples;
}

Summary summarize(std::span<const SampleSpectrum> samples) {
  RZ_CHECK(value, !samples.empty(), "spectrum: a summary needs at least one sample");
  Summary summary;
  summary.min = std::numeric_limits<double>::infinity();
  std::int64_t values = 0, resolved = 0, exact_zeros = 0;
  double squares = 0, logarithms = 0;
  for (const SampleSpectrum& sample : samples) {
    for (std::size_t i = 0; i < sample.singular_values.size(); ++i) {
      const double sigma = sample.singular_values[i];
      summary.max = std::max(summary.max, sigma);
      summary.min = std::min(summary.min, sigma);
      squares += sigma * sigma;
      if (i < count(sample.resolved)) logarithms += std::log(sigma);
    }
    values += std::ssize(sample.singular_values);
    resolved += sample.resolved;
    exact_zeros += sample.exact_zeros;
  }
  const auto all = static_cast<double>(values);
  summary.mean_square = squares / all;
  summary.mean_log =
      resolved > 0 ? logarithms / static_cast<double>(resolved) : std::numeric_limits<double>::quiet_NaN();
  summary.condition_number = summary.max / summary.min;
  summary.fraction_below_floor = static_cast<double>(values - resolved - exact_zeros) / all;
  summary.rank = static_cast<double>(resolved) / static_cast<double>(samples.size());
  return summary;
}

Result result_of(std::vector<SampleSpectrum> samples, std::int64_t rows, std::int64_t cols, std::string_view of,
                 DType precision) {
  Result result{rows, cols, std::string(of), "explicit", std::string(name(precision)), 0, std::move(samples), {}};
  for (const SampleSpectrum& sample : result.samples) {
    RZ_CHECK(shape, std::ssize(sample.singular_values) == std::min(rows, cols),
             "spectrum: a sample has {} singular values, but {} x {} Jacobians have {}", sample.singular_values.size(),
             rows, cols, std::min(rows, cols));
    result.floor = std::max(result.floor, sample.floor);
  }
  result.summary = summarize(result.samples);
  return result;
}

Result analyze(std::span<const Tensor> jacobians, std::string_view of) {
  RZ_CHECK(value, !jacobians.empty(), "spectrum: at least one Jacobian is needed");
  const Shape& shape = jacobians.front().shape();
  const DType dtype = jacobians.front().dtype();
  for (const Tensor& jacobian : jacobians) {
    RZ_CHECK(shape, jacobian.shape() == shape, "spectrum: Jacobians {} and {} of one analysis must have one shape",
             shape, jacobian.shape());
    RZ_CHECK(dtype, jacobian.dtype() == dtype, "spectrum: Jacobians of {} and {} in one analysis must have one type",
             dtype, jacobian.dtype());
  }
  std::vector<SampleSpectrum> samples = spectra(jacobians);
  return result_of(std::move(samples), shape[0], shape[1], of, dtype);
}

}  // namespace rz::isometry
