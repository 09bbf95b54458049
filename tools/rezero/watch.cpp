// rezero watch: spectrum, gates and gradient norms over the checkpoints of a run.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/parallel.h"
#include "core/random.h"
#include "tools/isometry/propagation.h"
#include "tools/rezero/command.h"
#include "tools/rezero/measured.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;

struct Checkpoint {
  Variant variant;
  Measured measured;
  std::vector<double> gates;           // empty: the form has none
  std::vector<double> gradient_norms;  // by hidden state, means over the inputs
};

double mean_size(const std::vector<double>& gates) {
  double sum = 0;
  for (const double gate : gates) sum += std::fabs(gate);
  return sum / static_cast<double>(gates.size());
}

Checkpoint look_at(const SpectrumOptions& options, const Variant& variant) {
  Checkpoint checkpoint{variant, measure_spectrum(options, variant), {}, {}};
  const Source source = open_source(variant.source, DType::f64);
  if (source.model->residual_weights().defined())
    checkpoint.gates = source.model->residual_weights().value().to_vector();
  if (!source.model->stages().chain) return checkpoint;
  const Inputs inputs = open_inputs(options.inputs, source, DType::f64);
  Random random(static_cast<std::uint64_t>(source.recipe.train.seed), stream_named("propagate"));
  const auto signals =
      isometry::measure_signal(*source.model, inputs.values.to(source.model->parameters().device()), random, 1);
  for (const isometry::LayerStatistics& layer : isometry::signal_statistics({signals}))
    checkpoint.gradient_norms.push_back(layer.gradient_norm.value);
  return checkpoint;
}

std::string text_of(const std::vector<Checkpoint>& all) {
  std::vector<std::vector<std::string>> rows{
      {"step", "smallest", "largest", "mean square", "mean |a|", "gradient norm", "what it means"}};
  for (const Checkpoint& c : all) {
    const isometry::Summary& s = c.measured.result.summary;
    rows.push_back({fmt::format("{:g}", c.variant.value), isometry::power_of_ten(s.log10_min, 4),
                    isometry::power_of_ten(s.log10_max, 4), fmt::format("{:.4g}", s.mean_square),
                    c.gates.empty() ? "-" : fmt::format("{:.4g}", mean_size(c.gates)),
                    c.gradient_norms.empty() ? "-" : fmt::format("{:.4g}", c.gradient_norms.front()),
                    c.measured.verdicts.front().text});
  }
  const Measured& m = all.front().measured;
  return fmt::format(
             "{}: singular values of the {} over training, {}\ngradient norm: |dC/dx_0| for a random unit "
             "direction at the end\n\n",
             m.name, m.part.of, m.inputs) +
         table_text(rows, "rrrrrrl");
}

struct Series {
  std::vector<Measured> measured;
  std::vector<Variant> variants;
};

Series series_of(const std::vector<Checkpoint>& all) {
  Series series;
  for (const Checkpoint& c : all) {
    series.measured.push_back(c.measured);
    series.variants.push_back(c.variant);
  }
  return series;
}

std::string json_of(const std::vector<Checkpoint>& all) {
  const Series series = series_of(all);
  Json json = series_json(series.measured, series.variants);
  for (std::size_t k = 0; k < all.size(); ++k) {
    json["series"][k]["gates"] = all[k].gates;
    json["series"][k]["gradient_norms"] = all[k].gradient_norms;
  }
  return json.dump() + "\n";
}

report::Histogram picture_of(const std::vector<Checkpoint>& all) {
  const Series series = series_of(all);
  report::Histogram picture = measured_histogram(series.measured, series.variants);
  picture.title = series.measured.front().name + ": singular values over training";
  for (std::size_t k = 0; k < all.size(); ++k)
    if (!all[k].gates.empty()) picture.panels[k].label += fmt::format(", mean |a| {:.3g}", mean_size(all[k].gates));
  return picture;
}

int run(SpectrumOptions options) {
  set_threads(options.output.threads);
  options.source.checkpoint = "all";
  if (options.source.run.empty()) throw UsageError("watch: no run was named (rezero watch RUN)");
  check_spectrum(options);
  check_outputs(options.output);
  std::vector<Checkpoint> all;
  for (const Variant& variant : variants_of(options)) all.push_back(look_at(options, variant));
  const auto arrays = [&] {
    const Series series = series_of(all);
    return measured_arrays(series.measured, series.variants);
  };
  const auto csv = [&] {
    const Series series = series_of(all);
    return measured_csv(series.measured, series.variants);
  };
  write_outputs(options.output, {.text = [&] { return text_of(all); },
                                 .json = [&] { return json_of(all); },
                                 .csv = csv,
                                 .arrays = arrays,
                                 .svg = [&] { return report::svg(picture_of(all)); },
                                 .png = [&] { return report::png(picture_of(all)); }});
  return exit_success;
}

}  // namespace

Command make_watch(CLI::App& app) {
  const auto options = std::make_shared<SpectrumOptions>();
  CLI::App* const command =
      app.add_subcommand("watch", "Spectrum, gates and gradient norms over the checkpoints of a run");
  command->footer(
      "The checkpoints are those that the run has kept: checkpoint.keep = \"all\" keeps every one.\n\n"
      "Example:\n"
      "  rezero train tools/recipes/quickstart.toml --set checkpoint.every=50 --set 'checkpoint.keep=\"all\"' --out "
      "runs/a\n"
      "  rezero watch runs/a --png training.png");
  command->add_option("run", options->source.run, "The folder of a run that `rezero train` made")->type_name("RUN");
  add_inputs(*command, options->inputs);
  add_outputs(*command, options->output, "Singular values", "A histogram of log10 sigma for each checkpoint");
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
