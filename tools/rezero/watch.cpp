// rezero watch: spectrum, gates and gradient norms over the checkpoints of a run.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/parallel.h"
#include "core/random.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/isometry/propagation.h"
#include "tools/rezero/command.h"
#include "tools/rezero/gate_history.h"
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

struct WatchOptions {
  SpectrumOptions spectrum;
  std::string gates;  // a file
};

// From the run's metrics: nothing is measured.
int draw_gates(const WatchOptions& options) {
  const OutputOptions& o = options.spectrum.output;
  if (o.json || !o.csv.empty() || !o.npz.empty() || !o.svg.empty() || !o.png.empty())
    throw UsageError("--gates: is drawn alone (the other files are of singular values)");
  const std::string kind = std::filesystem::path(options.gates).extension().string();
  if (kind != ".svg" && kind != ".png")
    throw UsageError(fmt::format("--gates: the name {} does not say what to draw (it must end with .svg or .png)",
                                 printable(options.gates)));
  check_target(options.gates);
  const GateHistory history = load_gates(options.spectrum.source.run);
  write_atomically(options.gates, kind == ".svg" ? report::svg(gate_map(history)) : report::png(gate_map(history)));
  print(gate_text(history) + "written: " + absolute(options.gates) + "\n");
  return exit_success;
}

int watch(const WatchOptions& given) {
  SpectrumOptions options = given.spectrum;
  set_threads(options.output.threads);
  options.source.checkpoint = "all";
  if (options.source.run.empty()) throw UsageError("watch: no run was named (rezero watch RUN)");
  if (!given.gates.empty()) return draw_gates(given);
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
  const auto options = std::make_shared<WatchOptions>();
  CLI::App* const command =
      app.add_subcommand("watch", "Spectrum, gates and gradient norms over the checkpoints of a run");
  command->footer(
      "The checkpoints are those that the run has kept: checkpoint.keep = \"all\" keeps every one.\n\n"
      "Example:\n"
      "  rezero train tools/recipes/quickstart.toml --set checkpoint.every=50 --set 'checkpoint.keep=\"all\"' --out "
      "runs/a\n"
      "  rezero watch runs/a --png training.png\n"
      "  rezero watch runs/a --gates gates.png");
  command->add_option("run", options->spectrum.source.run, "The folder of a run that `rezero train` made")
      ->type_name("RUN");
  add_inputs(*command, options->spectrum.inputs);
  command
      ->add_option("--gates", options->gates,
                   "Instead of spectra: a heat map of |a| by layer and logged step (train.log_every); needs no\n"
                   "checkpoints")
      ->type_name("FILE.svg|FILE.png");
  add_outputs(*command, options->spectrum.output, "Singular values", "A histogram of log10 sigma for each checkpoint");
  return {command, [options] { return watch(*options); }};
}

}  // namespace rz::tool
