// rezero compare: runs side by side.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>

#include "data/file.h"
#include "tools/report/chart.h"
#include "tools/rezero/command.h"
#include "tools/rezero/compare_text.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/outputs.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

struct CompareOptions {
  std::vector<std::string> runs;
  std::optional<double> loss;
  std::string svg, csv;
  bool json = false;
};

report::LineChart curves_of(const Comparison& comparison) {
  report::LineChart chart;
  chart.title = "Training loss";
  chart.x_label = "step";
  chart.y_label = "training loss (nats, running median)";
  for (const History& run : comparison.runs) {
    report::Series series{run.name, {}, {}};
    for (const CurvePoint& point : run.curve) {
      series.x.push_back(static_cast<double>(point.step));
      series.y.push_back(point.loss);
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

int run(const CompareOptions& options) {
  if (options.loss && !std::isfinite(*options.loss)) throw UsageError("--loss: it is not a finite number");
  check_files(options.json, {options.svg, options.csv});
  Comparison comparison{load_histories(options.runs), 0, !options.loss};
  comparison.loss = options.loss ? *options.loss : lowest_loss(comparison.runs.front()).value_or(nan);
  if (!options.svg.empty()) write_atomically(options.svg, report::svg(curves_of(comparison)));
  if (!options.csv.empty()) write_atomically(options.csv, comparison_csv(comparison));
  if (takes_standard_output({options.svg, options.csv})) return exit_success;
  print(options.json ? comparison_json(comparison) : comparison_text(comparison));
  for (const std::string& path : {options.svg, options.csv}) {
    if (!path.empty() && !options.json) print(fmt::format("written: {}\n", absolute(path)));
  }
  return exit_success;
}

}  // namespace

Command make_compare(CLI::App& app) {
  const auto options = std::make_shared<CompareOptions>();
  CLI::App* const command = app.add_subcommand("compare", "Runs side by side: loss by epoch, speed-up, curves");
  command->footer(fmt::format(
      "Speed-ups are measured against the first run. A loss counts as reached at the first step at which the\n"
      "median of the last {} logged steps is not above it, since single batches are noisy. Beside runs in the\n"
      "setting of the authors' notebook (depth 64, CIFAR-10) stand the losses that the notebook shows.\n\n"
      "Example:\n"
      "  rezero compare runs/deep runs/residual runs/rezero --svg curves.svg",
      loss_window));
  command->add_option("runs", options->runs, "The folders of runs that `rezero train` made")
      ->type_name("RUN...")
      ->required();
  command->add_option("--loss", options->loss, "The training loss to reach (default: the lowest of the first run)")
      ->type_name("X");
  add_file(*command, "--svg", options->svg, "Curves of the training loss over steps");
  add_file(*command, "--csv", options->csv, "Losses and accuracies by epoch");
  add_json(*command, options->json);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
