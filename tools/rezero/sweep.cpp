// rezero sweep: a recipe over a grid of values and seeds.
#include "tools/rezero/sweep.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "core/parallel.h"
#include "data/file.h"
#include "tools/rezero/command.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

struct SweepOptions {
  std::string recipe, out, by;
  std::vector<std::string> settings, grids;
  std::int64_t seeds = 1;
  int jobs = 0;
  std::optional<double> loss;
  bool json = false;
};

// By default accuracy, of texts the loss.
SweepMeasure measure_of(const SweepOptions& options) {
  if (options.by.empty() && load_recipe(options.recipe, options.settings).model.takes_tokens())
    return SweepMeasure::validation_loss;
  if (options.by == "validation_loss") return SweepMeasure::validation_loss;
  if (options.by == "train_loss") return SweepMeasure::train_loss;
  if (options.by == "steps_to_loss") return SweepMeasure::steps_to_loss;
  return SweepMeasure::validation_accuracy;
}

// What the folder belongs to: another recipe or other settings would mix runs that cannot be compared.
void claim(const std::string& folder, const SweepOptions& options) {
  std::string wanted = read_file(options.recipe);
  for (const std::string& setting : options.settings) wanted += "# --set " + setting + "\n";
  const std::string path = folder + "/sweep.toml";
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    if (read_file(path) != wanted)
      throw UsageError(fmt::format(
          "{}: holds a sweep of another recipe or with other --set, as {} tells (give another --out)", folder, path));
    return;
  }
  std::filesystem::create_directories(folder, error);
  RZ_CHECK(file, !error, "{}: cannot be made a folder: {}", folder, error.message());
  if (!std::filesystem::is_empty(folder, error))
    throw UsageError(fmt::format("{}: is not empty, and holds no sweep (give another --out)", folder));
  write_atomically(path, wanted);
}

// A line on standard error and exit code 1 when runs failed.
int exit_of(const SweepPlan& plan, std::span<const SweepResult> results) {
  const auto failed = std::ranges::count(results, SweepResult::failed, &SweepResult::status);
  if (failed == 0) return exit_success;
  const auto first = std::ranges::find(results, SweepResult::failed, &SweepResult::status);
  say(fmt::format("rezero: sweep: {} of {} runs failed, such as {}: {} (the same command tries them again)\n", failed,
                  results.size(), plan.runs[static_cast<std::size_t>(first - results.begin())].folder, first->reason));
  return exit_failure;
}

int run(const SweepOptions& options) {
  const SweepMeasure measure = measure_of(options);
  if (measure == SweepMeasure::steps_to_loss && !options.loss)
    throw UsageError("--by: steps_to_loss needs the loss to reach (--loss X)");
  if (options.loss && !std::isfinite(*options.loss)) throw UsageError("--loss: it is not a finite number");
  const SweepPlan plan = plan_sweep(options.recipe, options.settings, options.grids, options.seeds);
  const std::string folder = absolute(options.out);
  claim(folder, options);
  const int jobs = std::min(options.jobs > 0 ? options.jobs : cores(), static_cast<int>(plan.runs.size()));
  const bool complete = run_sweep(plan, folder, jobs, std::max(1, cores() / jobs));
  const std::vector<SweepResult> results = sweep_results(plan, folder, options.loss);
  const std::string table = folder + "/sweep.csv";
  write_atomically(table, sweep_csv(plan, results));
  if (!complete) {
    say(fmt::format(
        "rezero: sweep: interrupted, {} of {} runs are done (the same command goes on)\n",
        std::ranges::count_if(results, [](const SweepResult& r) { return r.status != SweepResult::missing; }),
        results.size()));
    return exit_interrupted;
  }
  print(options.json ? sweep_json(plan, results, measure)
                     : sweep_text(plan, results, measure) + fmt::format("all runs: {}\n", table));
  return exit_of(plan, results);
}

}  // namespace

Command make_sweep(CLI::App& app) {
  const auto options = std::make_shared<SweepOptions>();
  CLI::App* const command =
      app.add_subcommand("sweep", "A recipe over a grid of values and seeds, several runs at a time");
  command->footer(
      "Every combination is a run in a folder of --out, trained by a process of its own. The same command goes on "
      "after\n"
      "an interruption, and with more values or seeds adds the runs that are missing. The table shows the best\n"
      "combination for each value of the first grid: a comparison is fair at each form's own best learning rate.\n"
      "RUN.done says how a run ended. One that diverged stays as it is, one that failed is tried again.\n\n"
      "Example:\n"
      "  rezero sweep tools/recipes/quickstart.toml --grid model.form=rezero,deep,pre_norm \\\n"
      "    --grid optimizer.learning_rate=0.003,0.01,0.03 --seeds 3 --out sweeps/forms");
  command->add_option("recipe", options->recipe, "A recipe (TOML)")->type_name("RECIPE.toml")->required();
  command->add_option("--grid", options->grids, "A key and its values; may be given several times")
      ->type_name("SECTION.KEY=V1,V2,...")
      ->allow_extra_args(false)
      ->required();
  command->add_option("--set", options->settings, "A value in place of the recipe's; may be given several times")
      ->type_name("SECTION.KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("--seeds", options->seeds, "Seeds for each combination: train.seed and those that follow")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  command->add_option("--jobs", options->jobs, "Runs at a time (default: one per core); they share the cores")
      ->type_name("J")
      ->check(CLI::Range(1, 1024).description(""));
  command->add_option("--out", options->out, "Folder for the runs and sweep.csv")->type_name("DIR")->required();
  command
      ->add_option("--by", options->by,
                   "validation_accuracy (default), validation_loss (default of texts), train_loss,\nsteps_to_loss")
      ->type_name("MEASURE")
      ->check(CLI::IsMember({"validation_accuracy", "validation_loss", "train_loss", "steps_to_loss"}).description(""));
  command->add_option("--loss", options->loss, "The training loss of steps_to_loss (median of logged steps)")
      ->type_name("X");
  add_json(*command, options->json);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
