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

// Checkpoint by checkpoint.
struct Watched {
  std::vector<Variant> variants;
  std::vector<Measured> measured;
  std::vector<std::vector<double>> gates;           // empty: the form has none
  std::vector<std::vector<double>> gradient_norms;  // by hidden state, over the inputs; empty: the stack is no chain
};

double mean_size(const std::vector<double>& gates) {
  double sum = 0;
  for (const double gate : gates) sum += std::fabs(gate);
  return sum / static_cast<double>(gates.size());
}

void look_at(const SpectrumOptions& options, const Variant& variant, Watched& all) {
  std::vector<double>& gates = all.gates.emplace_back();
  std::vector<double>& norms = all.gradient_norms.emplace_back();
  const auto look = [&](const Source& source, const Tensor& inputs) {
    gates = nn::gate_values(*source.model);
    if (!source.model->stages().chain) return;
    Random random(static_cast<std::uint64_t>(source.recipe.train.seed), stream_named("propagate"));
    const auto signals = isometry::measure_signal(*source.model, inputs, random, 1);
    for (const isometry::LayerStatistics& layer : isometry::signal_statistics({signals}))
      norms.push_back(layer.gradient_norm.value);
  };
  all.variants.push_back(variant);
  all.measured.push_back(measure_spectrum(options, variant, look));
}

std::string text_of(const Watched& all) {
  std::vector<std::vector<std::string>> rows{
      {"step", "smallest", "largest", "mean square", "mean |a|", "gradient norm", "what it means"}};
  for (std::size_t k = 0; k < all.measured.size(); ++k) {
    const isometry::Summary& s = all.measured[k].result.summary;
    rows.push_back({all.variants[k].name, isometry::power_of_ten(s.log10_min, 4),
                    isometry::power_of_ten(s.log10_max, 4), fmt::format("{:.4g}", s.mean_square),
                    all.gates[k].empty() ? "-" : fmt::format("{:.4g}", mean_size(all.gates[k])),
                    all.gradient_norms[k].empty() ? "-" : fmt::format("{:.4g}", all.gradient_norms[k].front()),
                    all.measured[k].verdicts.front().text});
  }
  const Measured& m = all.measured.front();
  return fmt::format(
             "{}: singular values of the {} over training, {}\ngradient norm: root mean square of |dC/dx_0| for random "
             "unit directions at the end\n\n",
             m.name, m.part.of, m.inputs) +
         table_text(rows, "rrrrrrl");
}

std::string json_of(const Watched& all) {
  Json json = series_json(all.measured, all.variants);
  for (std::size_t k = 0; k < all.measured.size(); ++k) {
    json["series"][k]["gates"] = all.gates[k];
    json["series"][k]["gradient_norms"] = all.gradient_norms[k];
  }
  return json.dump() + "\n";
}

report::Histogram picture_of(const Watched& all) {
  report::Histogram picture = measured_histogram(all.measured, all.variants);
  picture.title = all.measured.front().name + ": singular values over training";
  for (std::size_t k = 0; k < all.gates.size(); ++k)
    if (!all.gates[k].empty()) picture.panels[k].label += fmt::format(", mean |a| {:.3g}", mean_size(all.gates[k]));
  return picture;
}

int watch(SpectrumOptions options) {
  set_threads(options.output.threads);
  options.source.checkpoint = "all";
  if (options.source.run.empty()) throw UsageError("watch: no run was named (rezero watch RUN)");
  check_spectrum(options);
  check_outputs(options.output);
  Watched all;
  for (const Variant& variant : variants_of(options)) look_at(options, variant, all);
  write_outputs(options.output, {.text = [&] { return text_of(all); },
                                 .json = [&] { return json_of(all); },
                                 .csv = [&] { return measured_csv(all.measured, all.variants); },
                                 .arrays = [&] { return measured_arrays(all.measured, all.variants); },
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
  return {command, [options] { return watch(*options); }};
}

}  // namespace rz::tool
