#include "tools/rezero/estimates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tools/isometry/lanczos.h"
#include "tools/isometry/trace.h"
#include "tools/rezero/command.h"
#include "tools/rezero/progress.h"
#include "tools/rezero/size.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/transformer_inputs.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::int64_t full_length = 2048;  // up to this many values all Lanczos steps are taken
constexpr std::int64_t powers = 6, probes = 60;

struct Sample {
  std::int64_t seed = 0, input = 0;
  isometry::ExtremeValues extremes;
  std::vector<isometry::Estimate> hutchinson, hutchpp;
};

struct Estimates {
  std::string name, weights, inputs;
  isometry::Part part;  // without functions
  isometry::Extents extents;
  std::vector<Sample> samples;
};

std::int64_t steps_for(std::int64_t values, std::int64_t top) {
  return values <= full_length ? values : std::min(values, std::max<std::int64_t>(300, 10 * top));
}

void estimate(const SpectrumOptions& options, const isometry::LinearOperator& op, std::int64_t memory, Sample& sample) {
  const auto seed = static_cast<std::uint64_t>(sample.seed * 1000003 + sample.input);
  if (options.method == "moments") {
    const std::int64_t bytes = 8 * probes * (op.rows + op.cols);
    if (bytes > memory)
      throw BudgetError(fmt::format("moments: the probes take {} bytes, the budget is {}", bytes, memory), bytes);
    sample.hutchinson = isometry::hutchinson_moments(op, powers, probes, seed);
    sample.hutchpp = isometry::hutchpp_moments(op, powers, probes, seed);
    return;
  }
  const std::int64_t values = std::min(op.rows, op.cols), top = std::min(options.top.value_or(usual_top), values);
  const std::int64_t steps = steps_for(values, top), bytes = lanczos_bytes({op.rows, op.cols}, top);
  if (bytes > memory)
    throw BudgetError(fmt::format("lanczos: its bases take {} bytes, the budget is {}", bytes, memory), bytes);
  sample.extremes = isometry::extreme_singular_values(op, top, steps, seed);
}

// Every draw of the weights by every input.
Estimates measure(const SpectrumOptions& options, const Variant& variant, std::int64_t memory) {
  const DType precision = precision_named(options.precision);
  const std::int64_t seeds = options.seeds.value_or(1);
  Estimates all;
  Inputs inputs;
  Progress progress("spectrum", seeds);
  for_each_draw(variant.source, seeds, precision, [&](std::int64_t k, const Source& source) {
    isometry::Part part = part_of(options.part, source);
    if (k == 0) inputs = open_inputs(options.inputs, source, precision);
    take_together(part, inputs);
    if (k == 0) {
      all.name = source.name;
      all.weights = weights_text(source, seeds);
      all.inputs = inputs.text;
      hold(*source.model, nn::examples(inputs.held, 0, 1));
      all.part = outline(part);
      all.extents = isometry::extents(part, inputs.values.to(source.model->parameters().device()));
      const std::int64_t values = std::min(all.extents.rows, all.extents.cols);
      if (options.top.value_or(1) > values)
        throw UsageError(fmt::format("--top: {} values were asked for, but there are {}", *options.top, values));
    }
    for (std::int64_t i = 0; i < samples(part, inputs.values); ++i) {
      Sample sample{.seed = source.recipe.train.seed, .input = i, .extremes = {}, .hutchinson = {}, .hutchpp = {}};
      hold(*source.model, nn::examples(inputs.held, i, 1));
      const Tensor x = isometry::sample(part, inputs.values, i).to(source.model->parameters().device());
      const Function f = [&part](const Variable& v) { return isometry::apply(part, v); };
      estimate(options, isometry::jacobian_operator(f, isometry::input_of(part, x)), memory, sample);
      all.samples.push_back(std::move(sample));
    }
    if (is_terminal(Stream::error)) progress.update(k + 1, "");
  });
  progress.finish();
  return all;
}

struct MomentRow {
  std::int64_t k;
  isometry::Estimate estimate;
  const char* estimator;
};

// Over the samples; the error of a single one is that of its probes.
isometry::Estimate over_samples(const Estimates& all, std::vector<isometry::Estimate> Sample::* moments,
                                std::size_t k) {
  if (all.samples.size() == 1) return (all.samples[0].*moments)[k];
  std::vector<double> values;
  for (const Sample& sample : all.samples) values.push_back((sample.*moments)[k].value);
  return isometry::mean_of(values);
}

std::vector<MomentRow> moment_rows(const Estimates& all) {
  std::vector<MomentRow> rows;
  for (std::size_t k = 0; k < static_cast<std::size_t>(powers); ++k) {
    const auto power = static_cast<std::int64_t>(k) + 1;
    rows.push_back({power, over_samples(all, &Sample::hutchinson, k), "hutchinson"});
    rows.push_back({power, over_samples(all, &Sample::hutchpp, k), "hutch++"});
  }
  return rows;
}

Json sample_json(const Sample& sample) {
  std::vector<double> logarithms, largest, smallest, residuals;
  for (const isometry::SingularEstimate& e : sample.extremes.largest) {
    logarithms.push_back(std::log10(e.value));
    largest.push_back(e.value);
    residuals.push_back(e.bound);
  }
  for (const isometry::SingularEstimate& e : sample.extremes.smallest) {
    smallest.push_back(e.value);
    residuals.push_back(e.bound);
  }
  return {{"seed", sample.seed},
          {"input", sample.input},
          {"log10_singular_values", logarithms},
          {"singular_values", largest},
          {"smallest", smallest},
          {"residuals", residuals},
          {"steps", sample.extremes.steps},
          {"complete", sample.extremes.complete}};
}

std::string json_of(const SpectrumOptions& options, const Estimates& all) {
  Json json{{"schema", 1},       {"rows", all.extents.rows}, {"cols", all.extents.cols},
            {"of", all.part.of}, {"method", options.method}, {"precision", options.precision}};
  if (all.part.of == "stack") json.update({{"from", all.part.from}, {"to", all.part.to}});
  if (!all.part.statistics.empty()) json["statistics"] = all.part.statistics;
  Json list = Json::array();
  if (options.method == "moments") {
    for (const MomentRow& row : moment_rows(all))
      list.push_back({{"k", row.k},
                      {"value", row.estimate.value},
                      {"standard_error", row.estimate.standard_error},
                      {"estimator", row.estimator}});
    json["moments"] = std::move(list);
  } else {
    for (const Sample& sample : all.samples) list.push_back(sample_json(sample));
    json["samples"] = std::move(list);
  }
  json["theory"] = nullptr;
  json["theory_reason"] = "it stands beside whole spectra (--method exact or product)";
  json["verdict"] = Json::array();
  return json.dump() + "\n";
}

std::string lanczos_text(const Estimates& all) {
  std::string text;
  for (const Sample& sample : all.samples) {
    std::vector<std::vector<std::string>> rows{{"largest", "within", "smallest", "within"}};
    for (std::size_t i = 0; i < sample.extremes.largest.size(); ++i) {
      const isometry::SingularEstimate &high = sample.extremes.largest[i], &low = sample.extremes.smallest[i];
      rows.push_back({fmt::format("{:.8g}", high.value), fmt::format("{:.1g}", high.bound),
                      low.value > low.bound ? fmt::format("{:.8g}", low.value) : "about 0",
                      fmt::format("{:.1g}", low.bound)});
    }
    text +=
        fmt::format(
            "\nseed {}, {}: {} steps{}\n", sample.seed,
            all.part.batch > 0 ? fmt::format("all {} inputs", all.part.batch) : fmt::format("input {}", sample.input),
            sample.extremes.steps,
            sample.extremes.complete ? "" : ", fewer than there are values: the smallest may not be found") +
        table_text(rows, "rrrr");
  }
  return text;
}

std::string text_of(const SpectrumOptions& options, const Estimates& all, std::string_view why) {
  std::string text =
      fmt::format("{}: Jacobian of the {}, {} x {}, {}\n  weights  {}\n  inputs   {}\n", all.name, name_of(all.part),
                  all.extents.rows, all.extents.cols, options.method, all.weights, all.inputs);
  if (!why.empty()) text += fmt::format("  method   {}\n", why);
  if (options.method == "lanczos") return text + lanczos_text(all);
  std::vector<std::vector<std::string>> rows{{"k", "tr (J J^T)^k / N", "standard error", "estimator"}};
  for (const MomentRow& row : moment_rows(all))
    rows.push_back({std::to_string(row.k), fmt::format("{:.6g}", row.estimate.value),
                    fmt::format("{:.2g}", row.estimate.standard_error), row.estimator});
  return text + "\n" + table_text(rows, "rrrl");
}

std::string csv_of(const SpectrumOptions& options, const Estimates& all) {
  if (options.method == "moments") {
    std::string text = "k,value,standard_error,estimator\n";
    for (const MomentRow& row : moment_rows(all))
      fmt::format_to(std::back_inserter(text), "{},{},{},{}\n", row.k, row.estimate.value, row.estimate.standard_error,
                     row.estimator);
    return text;
  }
  std::string text = "seed,input,index,sigma,log10_sigma,kind\n";
  const std::int64_t values = std::min(all.extents.rows, all.extents.cols);
  for (const Sample& sample : all.samples) {
    const auto add = [&](std::int64_t index, const isometry::SingularEstimate& e) {
      fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{}\n", sample.seed, sample.input, index, e.value,
                     std::log10(e.value), e.value > e.bound ? "resolved" : "below_floor");
    };
    const std::int64_t top = std::ssize(sample.extremes.largest);
    for (std::int64_t i = 0; i < top; ++i) add(i, sample.extremes.largest[static_cast<std::size_t>(i)]);
    for (std::int64_t i = top; i-- > 0;) add(values - 1 - i, sample.extremes.smallest[static_cast<std::size_t>(i)]);
  }
  return text;
}

}  // namespace

bool by_products_alone(const SpectrumOptions& options) {
  return options.method == "lanczos" || options.method == "moments";
}

std::int64_t lanczos_bytes(const isometry::Extents& extents, std::int64_t top) {
  return 8 * steps_for(std::min(extents.rows, extents.cols), top) * (extents.rows + extents.cols);
}

std::string why_only_ends(const isometry::Extents& extents, std::int64_t exact_bytes, std::string_view budget) {
  const std::int64_t ends = lanczos_bytes(extents, usual_top);
  if (ends > parse_size(budget, "--memory"))
    throw BudgetError(fmt::format("spectrum: J and its SVD take {} bytes, the ends alone {}", exact_bytes, ends),
                      std::min(exact_bytes, ends));
  return fmt::format("the ends by J v and J^T u: J and its SVD would take {}, --memory is {}",
                     size_text(exact_bytes, budget), budget);
}

void estimate_spectrum(const SpectrumOptions& options, const Variant& variant, std::string_view why) {
  const OutputOptions& output = options.output;
  if (!output.npz.empty() || !output.svg.empty() || !output.png.empty())
    throw UsageError(
        fmt::format("--method: {} gives no whole spectrum to write or to draw (--csv and --json)", options.method));
  if (!variant.key.empty())
    throw UsageError(fmt::format("--method: {} is of a single network, not of a series", options.method));
  const Estimates all =
      within_budget(options.memory, "--memory", [&](std::int64_t memory) { return measure(options, variant, memory); });
  write_outputs(output, {.text = [&] { return text_of(options, all, why); },
                         .json = [&] { return json_of(options, all); },
                         .csv = [&] { return csv_of(options, all); },
                         .arrays = {},
                         .svg = {},
                         .png = {}});
}

}  // namespace rz::tool
