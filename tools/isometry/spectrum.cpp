#include "tools/isometry/spectrum.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <tuple>
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

// sum a / sum b over independent samples, and its standard error to first order: that of a mean when all b are equal.
std::pair<double, double> ratio_of_sums(const std::vector<double>& a, const std::vector<double>& b) {
  const double total = std::accumulate(b.begin(), b.end(), 0.0), n = static_cast<double>(a.size());
  const double ratio = std::accumulate(a.begin(), a.end(), 0.0) / total;
  if (a.size() < 2) return {ratio, std::numeric_limits<double>::quiet_NaN()};
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - ratio * b[i]) * (a[i] - ratio * b[i]);
  return {ratio, std::sqrt(n / (n - 1) * squares) / total};
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
  for (const double sigma : sample.singular_values) sample.log10_singular_values.push_back(std::log10(sigma));
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

Counts counts_of(std::span<const SampleSpectrum> samples) {
  Counts counts;
  for (const SampleSpectrum& sample : samples) {
    counts.all += std::ssize(sample.singular_values);
    counts.resolved += sample.resolved;
    counts.exact_zeros += sample.exact_zeros;
  }
  return counts;
}

Summary summarize(std::span<const SampleSpectrum> samples) {
  RZ_CHECK(value, !samples.empty(), "spectrum: a summary needs at least one sample");
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Summary summary{.min = infinity, .log10_max = -infinity, .log10_min = infinity};
  std::vector<double> squares, logarithms, resolved, values;  // of each sample: sums, and how many
  for (const SampleSpectrum& sample : samples) {
    double square = 0, logarithm = 0;
    for (std::size_t i = 0; i < sample.singular_values.size(); ++i) {
      const double sigma = sample.singular_values[i], log10_sigma = sample.log10_singular_values[i];
      summary.max = std::max(summary.max, sigma);
      summary.min = std::min(summary.min, sigma);
      summary.log10_max = std::max(summary.log10_max, log10_sigma);
      summary.log10_min = std::min(summary.log10_min, log10_sigma);
      square += sigma * sigma;
      if (i < count(sample.resolved)) logarithm += std::numbers::ln10 * log10_sigma;
    }
    squares.push_back(square);
    logarithms.push_back(logarithm);
    resolved.push_back(static_cast<double>(sample.resolved));
    values.push_back(static_cast<double>(sample.singular_values.size()));
  }
  std::tie(summary.mean_square, summary.mean_square_se) = ratio_of_sums(squares, values);
  std::tie(summary.mean_log, summary.mean_log_se) = ratio_of_sums(logarithms, resolved);
  std::tie(summary.rank, summary.rank_se) = ratio_of_sums(resolved, std::vector<double>(samples.size(), 1.0));
  summary.log10_condition = summary.log10_max - summary.log10_min;  // NaN for 0 / 0
  summary.condition_number = std::isnormal(summary.min) && std::isfinite(summary.max)
                                 ? summary.max / summary.min
                                 : std::pow(10.0, summary.log10_condition);
  const Counts counts = counts_of(samples);
  summary.fraction_below_floor = counts.share(counts.below_floor());
  return summary;
}

bool smallest_is_noise(const Summary& summary) {
  return summary.fraction_below_floor > 0 && std::isfinite(summary.log10_min);
}

SampleMeans sample_means(std::span<const SampleSpectrum> samples) {
  RZ_CHECK(value, !samples.empty(), "spectrum: means need at least one sample");
  std::vector<Summary> each;
  for (const SampleSpectrum& sample : samples) each.push_back(summarize({&sample, 1}));
  const auto over = [&](double Summary::* member) {
    std::vector<double> values;
    for (const Summary& s : each) values.push_back(s.*member);
    return mean_of(values);
  };
  const auto unless_noise = [&](double Summary::* member) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    return std::ranges::any_of(each, smallest_is_noise) ? Estimate{nan, nan} : over(member);
  };
  return {.max = over(&Summary::max),
          .min = unless_noise(&Summary::min),
          .log10_max = over(&Summary::log10_max),
          .log10_min = unless_noise(&Summary::log10_min),
          .condition_number = unless_noise(&Summary::condition_number),
          .log10_condition = unless_noise(&Summary::log10_condition),
          .fraction_below_floor = over(&Summary::fraction_below_floor)};
}

Result result_of(std::vector<SampleSpectrum> samples, std::int64_t rows, std::int64_t cols, std::string_view of,
                 DType precision) {
  Result result{.rows = rows,
                .cols = cols,
                .of = std::string(of),
                .method = "explicit",
                .precision = std::string(name(precision)),
                .samples = std::move(samples),
                .summary = {}};
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
