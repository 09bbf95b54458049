#include "tools/rezero/measured.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "data/csv.h"
#include "tools/isometry/estimate.h"
#include "tools/report/spectra.h"
#include "tools/rezero/spectrum_text.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;

const char* kind_of(const isometry::SampleSpectrum& sample, std::int64_t index) {
  if (index < sample.resolved) return "resolved";
  return index >= std::ssize(sample.singular_values) - sample.exact_zeros ? "exact_zero" : "below_floor";
}

// The theory as far down as the values go, or as lambda is a double.
Density drawn_density(const Measured& m) {
  constexpr std::size_t points = 400;
  constexpr double lowest = -290;  // log10 lambda
  const double high = 2 * std::log10(m.theory->s_max);
  double low = std::max(2 * m.result.summary.log10_min, lowest);
  if (m.result.floor > 0) {  // a little further: a bin at the floor needs the density on both sides
    const double floor = 2 * std::log10(m.result.floor);
    low = std::max(low, floor - 0.05 * std::max(high - floor, 0.0));
  }
  if (m.theory->s_min > 0) low = 2 * std::log10(m.theory->s_min);
  if (!(low < high) || !std::isfinite(low)) return m.density;
  Density density;
  for (std::size_t i = 0; i < points; ++i)
    density.lambda.push_back(std::pow(10.0, low + (high - low) * static_cast<double>(i) / (points - 1)));
  return density_of(*m.law, density_points, density.lambda);
}

report::Panel panel_of(const Measured& m, const Variant& variant) {
  report::Panel panel = report::spectrum_panel(variant.key.empty() ? m.inputs : variant.label(), m.result);
  if (m.result.floor > 0) panel.floor = std::log10(m.result.floor);
  if (!m.theory) return panel;
  panel.theory = density_series(drawn_density(m));
  for (const isometry::Atom& atom : m.theory->atoms) {
    panel.atoms.x.push_back(0.5 * std::log10(atom.lambda));
    panel.atoms.y.push_back(atom.mass);
  }
  return panel;
}

// Means over the samples, each with its standard error; null for a single sample.
Json summary_json(const isometry::Result& result) {
  const isometry::Summary& s = result.summary;
  const isometry::SampleMeans means = isometry::sample_means(result.samples);
  Json json = Json::object();
  const auto add = [&](const std::string& name, const isometry::Estimate& e) {
    json[name] = e.value;
    json[name + "_se"] = e.standard_error;
  };
  add("max", means.max);
  add("min", means.min);
  add("log10_max", means.log10_max);
  add("log10_min", means.log10_min);
  add("mean_square", {s.mean_square, s.mean_square_se});
  add("mean_log", {s.mean_log, s.mean_log_se});
  add("condition_number", means.condition_number);
  add("log10_condition", means.log10_condition);
  add("fraction_below_floor", means.fraction_below_floor);
  add("rank", {s.rank, s.rank_se});
  return json;
}

Json json_of_value(const Variant& variant) {
  if (variant.key == "recipe") return variant.name;
  return variant.key == "gate" ? Json(variant.value) : Json(static_cast<std::int64_t>(variant.value));
}

}  // namespace

std::string series_name(const std::vector<Measured>& series, const std::vector<Variant>& variants) {
  if (variants.front().key != "recipe") return series.front().name;
  return fmt::format("{} recipes", series.size());
}

std::string series_part(const std::vector<Measured>& series) {
  const isometry::Part& first = series.front().part;
  const bool alike = std::ranges::all_of(series, [&](const Measured& m) { return name_of(m.part) == name_of(first); });
  if (alike) return name_of(first);
  return fmt::format("stack from hidden state {}", first.from);  // depths and recipes: to the end of each
}

Json measured_json(const Measured& m) {
  Json json = Json::parse(report::to_json(m.result));
  json["summary"] = summary_json(m.result);
  for (std::size_t i = 0; i < m.seed.size(); ++i) {
    json["samples"][i]["seed"] = m.seed[i];
    json["samples"][i]["input"] = m.input[i];
  }
  json["theory"] = m.theory ? spectrum_json(*m.theory, m.density) : Json();
  if (!m.theory) json["theory_reason"] = m.theory_reason;
  Json verdicts = Json::array();
  for (const isometry::Verdict& v : m.verdicts)
    verdicts.push_back({{"code", v.code}, {"value", v.value}, {"threshold", v.threshold}, {"text", v.text}});
  json["verdict"] = std::move(verdicts);
  return json;
}

Json series_json(const std::vector<Measured>& series, const std::vector<Variant>& variants) {
  if (variants.front().key.empty()) return measured_json(series.front());
  Json list = Json::array();
  for (std::size_t k = 0; k < series.size(); ++k) {
    Json one{{variants[k].key, json_of_value(variants[k])}};
    one.update(measured_json(series[k]));
    list.push_back(std::move(one));
  }
  return {{"schema", 1}, {"series", std::move(list)}};
}

std::string measured_text(const Measured& m) {
  std::string text = spectrum_text(m.result, name_of(m.part), m.name, m.weights, m.inputs);
  if (!m.method_reason.empty()) text += m.method_reason + "\n";
  for (std::size_t i = 1; i < m.verdicts.size(); ++i)
    if (m.verdicts[i].code != "spread") text += m.verdicts[i].text + "\n";  // the first sentence says it
  if (m.theory) return text + "\ntheory: " + spectrum_text(*m.theory);
  return m.theory_reason.empty() ? text : text + fmt::format("\nno theory: {}\n", m.theory_reason);
}

std::string measured_csv(const std::vector<Measured>& series, const std::vector<Variant>& variants) {
  const std::string& key = variants.front().key;
  std::string text = fmt::format("{}seed,input,index,sigma,log10_sigma,kind\n", key.empty() ? "" : key + ",");
  for (std::size_t k = 0; k < series.size(); ++k) {
    const std::string first = key.empty() ? "" : csv_cell(variants[k].name) + ",";
    const Measured& m = series[k];
    for (std::size_t i = 0; i < m.result.samples.size(); ++i) {
      const isometry::SampleSpectrum& sample = m.result.samples[i];
      for (std::size_t j = 0; j < sample.singular_values.size(); ++j)
        fmt::format_to(std::back_inserter(text), "{}{},{},{},{},{},{}\n", first, m.seed[i], m.input[i], j,
                       sample.singular_values[j], sample.log10_singular_values[j],
                       kind_of(sample, static_cast<std::int64_t>(j)));
    }
  }
  return text;
}

std::vector<NamedTensor> measured_arrays(const std::vector<Measured>& series, const std::vector<Variant>& variants) {
  std::vector<double> logarithms, lambda, rho, values;
  std::vector<std::int64_t> resolved, zeros, seed, input;
  std::size_t longest = 0;  // recipes may differ: shorter rows end with NaN
  for (const Measured& m : series) longest = std::max(longest, m.result.samples[0].log10_singular_values.size());
  for (std::size_t k = 0; k < series.size(); ++k) {
    const Measured& m = series[k];
    for (std::size_t i = 0; i < m.result.samples.size(); ++i) {
      const isometry::SampleSpectrum& sample = m.result.samples[i];
      logarithms.insert(logarithms.end(), sample.log10_singular_values.begin(), sample.log10_singular_values.end());
      logarithms.resize((resolved.size() + 1) * longest, std::nan(""));
      resolved.push_back(sample.resolved);
      zeros.push_back(sample.exact_zeros);
      seed.push_back(m.seed[i]);
      input.push_back(m.input[i]);
      values.push_back(variants[k].value);
    }
    const bool none = m.density.lambda.empty();  // a row of NaN
    const std::vector<double> gap(none ? static_cast<std::size_t>(density_points) : 0, std::nan(""));
    lambda.insert(lambda.end(), gap.begin(), gap.end());
    rho.insert(rho.end(), gap.begin(), gap.end());
    lambda.insert(lambda.end(), m.density.lambda.begin(), m.density.lambda.end());
    rho.insert(rho.end(), m.density.rho.begin(), m.density.rho.end());
  }
  const std::int64_t samples = std::ssize(resolved);
  const Shape theory = series.size() == 1 ? Shape{std::ssize(lambda)} : Shape{std::ssize(series), density_points};
  std::vector<NamedTensor> arrays{
      {"log10_singular_values", Tensor::of({samples, std::ssize(logarithms) / samples}, logarithms)},
      {"resolved", Tensor::of_integers({samples}, resolved)},
      {"exact_zeros", Tensor::of_integers({samples}, zeros)},
      {"seed", Tensor::of_integers({samples}, seed)},
      {"input", Tensor::of_integers({samples}, input)},
      {"theory_lambda", Tensor::of(theory, lambda)},
      {"theory_rho", Tensor::of(theory, rho)}};
  if (!variants.front().key.empty()) arrays.push_back({variants.front().key, Tensor::of({samples}, values)});
  return arrays;
}

report::Histogram measured_histogram(const std::vector<Measured>& series, const std::vector<Variant>& variants) {
  std::vector<report::Panel> panels;
  for (std::size_t k = 0; k < series.size(); ++k) panels.push_back(panel_of(series[k], variants[k]));
  return report::spectrum_histogram(
      fmt::format("{}: Jacobian of the {}", series_name(series, variants), series_part(series)), std::move(panels));
}

report::LineChart measured_edges(const std::vector<Measured>& series, const std::vector<Variant>& variants) {
  report::Series largest{.label = "largest", .x = {}, .y = {}, .error = {}, .colour = 0};
  report::Series smallest{.label = "smallest", .x = {}, .y = {}, .error = {}, .colour = 1};
  report::Series upper{.label = "theory: largest", .x = {}, .y = {}, .error = {}, .colour = 0};
  report::Series lower{.label = "theory: smallest", .x = {}, .y = {}, .error = {}, .colour = 1};
  const auto add = [](report::Series& dots, double x, const std::vector<double>& values) {
    const isometry::Estimate e = isometry::mean_of(values);
    dots.x.push_back(x);
    dots.y.push_back(e.value);
    dots.error.push_back(e.standard_error);
  };
  for (std::size_t k = 0; k < series.size(); ++k) {
    std::vector<double> highest, lowest;
    for (const isometry::SampleSpectrum& sample : series[k].result.samples) {
      highest.push_back(sample.log10_singular_values.front());
      lowest.push_back(sample.log10_singular_values.back());
    }
    add(largest, variants[k].value, highest);
    add(smallest, variants[k].value, lowest);
    if (!series[k].theory) continue;
    upper.x.push_back(variants[k].value);
    const std::vector<double>& outliers = series[k].theory->outliers;
    upper.y.push_back(std::log10(outliers.empty() ? series[k].theory->s_max : outliers.back()));
    if (series[k].theory->s_min == 0) continue;
    lower.x.push_back(variants[k].value);
    lower.y.push_back(std::log10(series[k].theory->s_min));
  }
  report::LineChart chart{.title = series.front().name + ": largest and smallest singular value",
                          .x_label = variants.front().key,
                          .y_label = "log10 of the singular value",
                          .log_y = false,
                          .series = {largest, smallest}};
  for (report::Series* const line : {&upper, &lower})
    if (line->x.size() > 1) chart.series.push_back(std::move(*line));
  chart.log_x = variants.front().key == "depth";
  return chart;
}

namespace {

// The ends of the support over depth, from the identity on; that at 0 has no place on the axis.
report::Series fan_edge(const Measured& m, const char* label, std::size_t colour, double FanEdges::* edge) {
  const auto from = static_cast<double>(m.part.from);
  report::Series line{.label = label, .x = {from}, .y = {0}, .error = {}, .colour = colour};
  for (const FanEdges& edges : m.fan_theory) {
    if (edges.*edge == 0) continue;
    line.x.push_back(from + static_cast<double>(edges.layer));
    line.y.push_back(std::log10(edges.*edge));
  }
  return line;
}

}  // namespace

report::LineChart measured_fan(const Measured& m) {
  const auto from = static_cast<double>(m.part.from);
  report::LineChart chart{.title = fmt::format("{}: singular values of d x_l / d x_{}, input 0", m.name, m.part.from),
                          .x_label = fmt::format("hidden state l (d x_{0} / d x_{0} is the identity)", m.part.from),
                          .y_label = "log10 of the singular values",
                          .log_y = false,
                          .series = {},
                          .marked = false};
  const std::size_t values = m.fan.empty() ? 0 : m.fan.front().log10_singular_values.size();
  for (std::size_t i = 0; i < values; ++i) {
    report::Series line{.label = "", .x = {from}, .y = {0}};
    for (std::size_t k = 0; k < m.fan.size(); ++k) {
      line.x.push_back(from + static_cast<double>(m.fan_layers[k]));
      line.y.push_back(m.fan[k].log10_singular_values[i]);
    }
    chart.series.push_back(std::move(line));
  }
  for (const report::Series& line :
       {fan_edge(m, "theory: largest", 0, &FanEdges::s_max), fan_edge(m, "theory: smallest", 1, &FanEdges::s_min)})
    if (line.x.size() > 1) chart.series.push_back(line);
  return chart;
}

}  // namespace rz::tool
