#include "tools/report/spectra.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/csv.h"

namespace rz::report {

using isometry::Result;
using isometry::SampleSpectrum;
using isometry::Summary;

std::string to_json(const Result& result) {
  using Json = nlohmann::ordered_json;  // writes null for what is not finite
  Json samples = Json::array();
  for (const SampleSpectrum& sample : result.samples) {
    std::vector<double> logarithms;
    for (const double sigma : sample.singular_values) logarithms.push_back(std::log10(sigma));
    samples.push_back({{"log10_singular_values", std::move(logarithms)},
                       {"singular_values", sample.singular_values},
                       {"resolved", sample.resolved},
                       {"exact_zeros", sample.exact_zeros}});
  }
  const Summary& s = result.summary;
  // A smallest value below the floor is noise: it is not shown as if it were measured.
  const bool noise = s.fraction_below_floor > 0 && s.min > 0;
  const auto measured = [noise](double value) { return noise ? Json() : Json(value); };
  const Json json = {{"schema", 1},
                     {"rows", result.rows},
                     {"cols", result.cols},
                     {"of", result.of},
                     {"method", result.method},
                     {"precision", result.precision},
                     {"floor", result.floor},
                     {"samples", std::move(samples)},
                     {"summary",
                      {{"max", s.max},
                       {"min", measured(s.min)},
                       {"mean_square", s.mean_square},
                       {"mean_log", s.mean_log},
                       {"condition_number", measured(s.condition_number)},
                       {"fraction_below_floor", s.fraction_below_floor},
                       {"rank", s.rank}}}};
  return json.dump() + "\n";
}

std::string to_csv(const Result& result) {
  Csv csv({"sample", "index", "singular_value", "resolved", "exact_zero"});
  for (std::size_t i = 0; i < result.samples.size(); ++i) {
    const SampleSpectrum& sample = result.samples[i];
    const std::int64_t k = std::ssize(sample.singular_values);
    for (std::int64_t j = 0; j < k; ++j)
      csv.row({static_cast<double>(i), static_cast<double>(j), sample.singular_values[static_cast<std::size_t>(j)],
               j < sample.resolved ? 1.0 : 0.0, j >= k - sample.exact_zeros ? 1.0 : 0.0});
  }
  return csv.text();
}

std::vector<NamedTensor> to_arrays(const Result& result) {
  std::vector<double> values, floors;
  std::vector<std::int64_t> resolved, exact_zeros;
  for (const SampleSpectrum& sample : result.samples) {
    values.insert(values.end(), sample.singular_values.begin(), sample.singular_values.end());
    floors.push_back(sample.floor);
    resolved.push_back(sample.resolved);
    exact_zeros.push_back(sample.exact_zeros);
  }
  const std::int64_t samples = std::ssize(result.samples), k = std::min(result.rows, result.cols);
  const std::int64_t shape[] = {result.rows, result.cols};
  return {{"singular_values", Tensor::of({samples, k}, values)},
          {"floor", Tensor::of({samples}, floors)},
          {"resolved", Tensor::of_integers({samples}, resolved)},
          {"exact_zeros", Tensor::of_integers({samples}, exact_zeros)},
          {"shape", Tensor::of_integers({2}, shape)}};
}

Panel spectrum_panel(std::string_view label, const Result& result) {
  Panel panel{std::string(label), {}, {}, {}, 0};
  std::vector<double> resolved;
  std::int64_t exact_zeros = 0, below_floor = 0;
  for (const SampleSpectrum& sample : result.samples) {
    const auto begin = sample.singular_values.begin();
    resolved.insert(resolved.end(), begin, begin + sample.resolved);
    exact_zeros += sample.exact_zeros;
    below_floor += std::ssize(sample.singular_values) - sample.resolved - sample.exact_zeros;
    panel.total += static_cast<double>(sample.singular_values.size());
  }
  std::sort(resolved.begin(), resolved.end());
  for (const double sigma : resolved) panel.values.push_back(std::log10(sigma));

  if (!resolved.empty()) {
    const std::size_t n = resolved.size();
    const double median = 0.5 * (resolved[(n - 1) / 2] + resolved[n / 2]);
    panel.note = fmt::format("min {:.3g}, median {:.3g}, max {:.3g}", resolved.front(), median, resolved.back());
  }
  if (exact_zeros > 0) panel.label += fmt::format(", {} exact zero{}", exact_zeros, exact_zeros == 1 ? "" : "s");
  if (below_floor > 0) panel.label += fmt::format(", {} below the floor", below_floor);
  return panel;
}

Histogram spectrum_histogram(std::string_view title, std::vector<Panel> panels) {
  Histogram histogram;
  histogram.title = title;
  histogram.x_label = "log10 of the singular values";
  histogram.panels = std::move(panels);
  histogram.resolution = 1e-6;
  histogram.mark = 0;  // isometry
  return histogram;
}

}  // namespace rz::report
