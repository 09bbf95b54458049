#include "tools/report/spectra.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/csv.h"
#include "tools/isometry/verdict.h"

namespace rz::report {

using isometry::Result;
using isometry::SampleSpectrum;
using isometry::Summary;

std::string to_json(const Result& result) {
  using Json = nlohmann::ordered_json;  // writes null for what is not finite
  Json samples = Json::array();
  for (const SampleSpectrum& sample : result.samples) {
    samples.push_back({{"log10_singular_values", sample.log10_singular_values},
                       {"singular_values", sample.singular_values},
                       {"resolved", sample.resolved},
                       {"exact_zeros", sample.exact_zeros}});
  }
  const Summary& s = result.summary;
  // A smallest value below the floor is noise: it is not shown as if it were measured.
  const bool noise = isometry::smallest_is_noise(s);
  const auto measured = [noise](double value) { return noise ? Json() : Json(value); };
  Json json = {{"schema", 1}, {"rows", result.rows}, {"cols", result.cols}, {"of", result.of}};
  if (result.to > 0) json.update({{"from", result.from}, {"to", result.to}});
  if (!result.statistics.empty()) json["statistics"] = result.statistics;
  json.update({{"method", result.method},
               {"precision", result.precision},
               {"floor", result.floor},
               {"samples", std::move(samples)},
               {"summary",
                {{"max", s.max},
                 {"min", measured(s.min)},
                 {"log10_max", s.log10_max},
                 {"log10_min", measured(s.log10_min)},
                 {"mean_square", s.mean_square},
                 {"mean_square_se", s.mean_square_se},
                 {"mean_log", s.mean_log},
                 {"mean_log_se", s.mean_log_se},
                 {"condition_number", measured(s.condition_number)},
                 {"log10_condition", measured(s.log10_condition)},
                 {"fraction_below_floor", s.fraction_below_floor},
                 {"rank", s.rank},
                 {"rank_se", s.rank_se}}}});
  return json.dump() + "\n";
}

std::string to_csv(const Result& result) {
  Csv csv({"sample", "index", "singular_value", "resolved", "exact_zero", "log10_singular_value"});
  for (std::size_t i = 0; i < result.samples.size(); ++i) {
    const SampleSpectrum& sample = result.samples[i];
    const std::int64_t k = std::ssize(sample.singular_values);
    for (std::int64_t j = 0; j < k; ++j) {
      const auto at = static_cast<std::size_t>(j);
      csv.row({static_cast<double>(i), static_cast<double>(j), sample.singular_values[at],
               j < sample.resolved ? 1.0 : 0.0, j >= k - sample.exact_zeros ? 1.0 : 0.0,
               sample.log10_singular_values[at]});
    }
  }
  return csv.text();
}

std::vector<NamedTensor> to_arrays(const Result& result) {
  std::vector<double> values, logarithms, floors;
  std::vector<std::int64_t> resolved, exact_zeros;
  for (const SampleSpectrum& sample : result.samples) {
    values.insert(values.end(), sample.singular_values.begin(), sample.singular_values.end());
    logarithms.insert(logarithms.end(), sample.log10_singular_values.begin(), sample.log10_singular_values.end());
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
          {"shape", Tensor::of_integers({2}, shape)},
          {"log10_singular_values", Tensor::of({samples, k}, logarithms)}};
}

Panel spectrum_panel(std::string_view label, const Result& result) {
  Panel panel{std::string(label), {}, {}, {}, 0};
  std::int64_t exact_zeros = 0, below_floor = 0;
  for (const SampleSpectrum& sample : result.samples) {
    const auto begin = sample.log10_singular_values.begin();
    panel.values.insert(panel.values.end(), begin, begin + sample.resolved);
    exact_zeros += sample.exact_zeros;
    below_floor += std::ssize(sample.log10_singular_values) - sample.resolved - sample.exact_zeros;
    panel.total += static_cast<double>(sample.log10_singular_values.size());
  }
  panel.zeros = static_cast<double>(exact_zeros);
  std::sort(panel.values.begin(), panel.values.end());

  if (!panel.values.empty()) {
    const std::size_t n = panel.values.size();
    const double low = panel.values[(n - 1) / 2], high = panel.values[n / 2];
    const double median = low + std::log10(0.5 + 0.5 * std::pow(10.0, high - low));
    panel.note = fmt::format("min {}, median {}, max {}", isometry::power_of_ten(panel.values.front(), 3),
                             isometry::power_of_ten(median, 3), isometry::power_of_ten(panel.values.back(), 3));
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
