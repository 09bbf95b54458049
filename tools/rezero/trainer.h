// Trainer: the loop of a run. Every step's numbers follow from the recipe, the data and the step before, so that a run
// that goes on from a checkpoint equals one that was never interrupted, bit for bit.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/step.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "nn/module.h"
#include "optim/ema.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "tools/rezero/checkpoint_writer.h"
#include "tools/rezero/evaluate.h"
#include "tools/rezero/metrics.h"
#include "tools/rezero/monitor.h"
#include "tools/rezero/progress.h"
#include "tools/rezero/recipe.h"
#include "tools/rezero/run.h"
#include "tools/rezero/training_step.h"

namespace rz::tool {

enum class Outcome { complete, interrupted };

class Trainer {
 public:
  // All must outlive the trainer. The model is built.   Throws: value, memory
  Trainer(const Recipe& recipe, const DataSplits& data, nn::Model& model, const RunPaths& paths);

  std::int64_t recomputed_blocks() const { return recomputed_blocks_; }  // by train.memory
  std::int64_t total_steps() const { return total_; }
  const TrainState& state() const { return state_; }
  // Goes to the newest checkpoint; without one, to the start.   Throws: file (also for damaged metrics)
  void go_on();
  // `continue_anyway`: a loss or gradient that is not finite does not end the run.
  // Throws: value (not finite; what is needed to look into it has been written), file (the last checkpoint cannot be
  // written)
  Outcome run(bool continue_anyway);
  const Metrics& last_epoch() const { return last_epoch_; }  // the last line of kind epoch that run() wrote

 private:
  struct Taken {  // what a step gave
    double loss = 0, gradient_norm = 0;
    std::int64_t correct = 0, predictions = 0, examples = 0;  // predictions: labels that count
  };
  struct Speed {  // of steps alone: validation and checkpoints do not count
    double seconds = 0;
    std::int64_t examples = 0;
    double rate() const { return seconds > 0 ? static_cast<double>(examples) / seconds : 0; }
  };
  void add_step(std::int64_t rows);
  TrainingStep& step_for(std::int64_t rows);
  Taken take_step(const Batch& batch);
  void check_finite(const Taken& taken, const TrainState& before);
  Metrics line(const Taken& taken, const Speed& speed);
  Metrics epoch_line(const Taken& taken);  // without validation
  Evaluation validate();
  bool end_epoch(const Taken& taken);  // whether it is the best so far
  void begin_epoch();
  void forget_best(const TrainState& before);
  void close(bool checkpoint_written);
  void write(std::string_view line);  // of the metrics; a failure is told once
  void write_monitor();
  bool is_logged(std::int64_t step) const { return step == 1 || step % recipe_.train.log_every == 0; }
  bool write_checkpoint();
  void show(const Taken& taken);
  void say_epoch(const Metrics& line);

  const Recipe& recipe_;
  const DataSplits& data_;
  nn::Model& model_;
  const RunPaths& paths_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::optional<optim::Ema> ema_;
  Loader loader_;
  std::int64_t total_;
  optim::Schedule schedule_;
  StepState step_state_;
  std::vector<std::unique_ptr<TrainingStep>> steps_;  // by batch size: at most two
  CheckpointWriter checkpoints_;
  std::int64_t recomputed_blocks_ = 0;
  TrainState state_;
  Metrics last_epoch_;
  Speed line_speed_, epoch_speed_, shown_speed_;  // since the last line, in this epoch, since the last sign of progress
  double began_ = 0;                              // on the clock, less what the run had taken before
  // While run() runs.
  std::unique_ptr<MetricsFile> metrics_;
  std::unique_ptr<Monitor> monitor_;  // null: train.monitor is off
  std::unique_ptr<Progress> progress_;
  bool metrics_failed_ = false;
};

}  // namespace rz::tool
