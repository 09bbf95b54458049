// A sweep: a recipe with every combination of values of some keys, each with several seeds. Each run is a folder of the
// sweep's, trained by a process of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tools/rezero/recipe.h"

namespace rz::tool {

struct Grid {
  std::string key;                  // "optimizer.learning_rate"
  std::vector<std::string> values;  // as TOML, in the order given
};
// From "section.key=v1,v2,..."; commas within brackets and quotes do not separate.   Throws: UsageError
Grid parse_grid(std::string_view text);

struct SweepRun {
  std::vector<std::string> values;  // one per grid
  std::int64_t seed = 0;
  std::string folder;                 // of the run, within the sweep's: "form=rezero,learning_rate=0.01,seed=1"
  std::vector<std::string> settings;  // for --set
};

struct SweepPlan {
  std::string recipe;  // file
  std::vector<Grid> grids;
  std::vector<SweepRun> runs;  // the last grid and then the seed change fastest
};
// Seeds are train.seed of the recipe and those that follow it. Every combination is checked as a recipe.
// Throws: UsageError, file
SweepPlan plan_sweep(const std::string& recipe, std::span<const std::string> settings,
                     std::span<const std::string> grids, std::int64_t seeds);

// What a run came to.
struct SweepResult {
  enum Status { missing, complete, diverged, failed } status = missing;
  std::string reason;  // of diverged and failed: what the run said
  std::int64_t steps = 0;
  double seconds = 0;
  double train_loss = 0, validation_loss = 0, validation_accuracy = 0;  // of the last epoch; NaN: none
  double best_accuracy = 0;                                             // by validation; NaN: none
  std::optional<std::int64_t> steps_to_loss;                            // none: not reached, or not asked for
};

// Trains what is not complete, `jobs` at a time with `threads` threads each. Returns false when it was interrupted:
// then all runs have stopped with a checkpoint. Throws: file
bool run_sweep(const SweepPlan& plan, const std::string& folder, int jobs, int threads);

// From the run directories. `loss`: for steps_to_loss.   Throws: file
std::vector<SweepResult> sweep_results(const SweepPlan& plan, const std::string& folder, std::optional<double> loss);

// How runs are compared.
enum class SweepMeasure { validation_accuracy, validation_loss, train_loss, steps_to_loss };
std::string sweep_csv(const SweepPlan& plan, std::span<const SweepResult> results);
// For each value of the first grid the best combination of the others, with mean and deviation over seeds.
std::string sweep_text(const SweepPlan& plan, std::span<const SweepResult> results, SweepMeasure measure);
std::string sweep_json(const SweepPlan& plan, std::span<const SweepResult> results, SweepMeasure measure);

}  // namespace rz::tool
