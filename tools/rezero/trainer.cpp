#include "tools/rezero/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/error.h"
#include "core/memory.h"
#include "data/file.h"
#include "tools/rezero/command.h"
#include "tools/rezero/interrupt.h"
#include "tools/rezero/size.h"
#include "tools/rezero/timing.h"

namespace rz::tool {
namespace {

std::int64_t count_steps(const TrainRecipe& train, std::int64_t batches) {
  constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
  return std::min(train.epochs > 0 ? train.epochs * batches : no_limit, train.steps > 0 ? train.steps : no_limit);
}

LoaderOptions loader_options(const Recipe& recipe) {
  return {.batch_size = recipe.train.batch_size,
          .seed = static_cast<std::uint64_t>(recipe.train.seed),
          .normalisation = normalisation_of(recipe),
          .augment = recipe.data.augment,
          .dtype = recipe.train.precision};
}

MonitorOptions monitor_options(const Recipe& recipe) {
  // Elsewhere a branch's output is no activation's.
  return {.activation = recipe.model.is_fc() ? activation_named(recipe.model.activation) : ScalarFunction::identity,
          .activation_last = recipe.model.branch == "activation_last",
          .gates_are_trained = recipe.model.train_gates};
}

// Statistics of a batch need two images: what the last batch of an epoch has shows now, not at its end.
void check_batch_statistics(const Recipe& recipe, std::int64_t size) {
  if (!recipe.model.is_resnet() || recipe.model.norm != "batch") return;
  const TrainRecipe& train = recipe.train;
  const std::int64_t rest = size % train.batch_size;
  const auto least_part = [&](std::int64_t rows) { return rows / std::min(rows, train.micro_batches); };
  if (size >= train.batch_size && least_part(train.batch_size) == 1)
    throw UsageError(
        train.micro_batches > 1
            ? fmt::format("train.micro_batches is {}, which leaves single images of {} for batch norm (lower it)",
                          train.micro_batches, train.batch_size)
            : "train.batch_size is 1, but batch norm needs two images (raise it, or take model.norm = \"none\")");
  if (rest > 0 && least_part(rest) == 1)
    throw UsageError(fmt::format(
        "train.batch_size is {}, so that the last batch of the {} images has {}{}, but batch norm needs two images in "
        "each part (take another train.batch_size, or data.train_size = {})",
        train.batch_size, size, rest, train.micro_batches > 1 ? fmt::format(" in {} parts", train.micro_batches) : "",
        size - rest));
}

// As many rows as a micro-batch has: to look at more would take more memory than training does.
Tensor first_part(const Tensor& images, std::int64_t parts) {
  const std::int64_t rows = images.shape()[0];
  return images.rows(0, std::max<std::int64_t>(1, rows / parts));
}

}  // namespace

Trainer::Trainer(const Recipe& recipe, const DataSplits& data, nn::Model& model, const RunPaths& paths)
    : recipe_(recipe),
      data_(data),
      model_(model),
      paths_(paths),
      optimizer_(optim::Optimizer::create(recipe.optimizer)),
      loader_(data.train, loader_options(recipe)),
      total_(count_steps(recipe.train, loader_.batches())),
      schedule_(recipe.schedule, optimizer_->learning_rate(), total_),
      step_state_(model.parameters().device()),
      checkpoints_(paths, recipe.checkpoint.keep) {
  check_batch_statistics(recipe, data.train.size());
  model.set_training(true);
  if (!recipe.train.memory.empty()) {
    const std::int64_t rows = std::min(recipe.train.batch_size, data.train.size());
    recomputed_blocks_ = within_budget(recipe.train.memory, "train.memory", [&](std::int64_t bytes) {
      return model.fit_memory(bytes, (rows + recipe.train.micro_batches - 1) / recipe.train.micro_batches);
    });
  }
  model.set_dropout_source({static_cast<std::uint64_t>(recipe.train.seed), &step_state_});
  // All memory that outlives a step is there before the first: peak_bytes of a step is then the same after a resume.
  optimizer_->prepare(model.parameters());
  model.parameters().gradients();
  if (recipe.train.ema > 0) ema_.emplace(recipe.train.ema).prepare(model.parameters());
  const std::int64_t size = data.train.size(), batch = recipe.train.batch_size;
  if (size >= batch) add_step(batch);
  if (size % batch != 0) add_step(size % batch);
  state_.seed = recipe.train.seed;
}

void Trainer::go_on() {
  std::error_code ignored;  // what is wrong shows when the first checkpoint is written
  std::filesystem::create_directories(paths_.checkpoints, ignored);
  remove_temporary_files(paths_.directory);
  remove_temporary_files(paths_.checkpoints);
  const std::vector<std::int64_t> steps = checkpoint_steps(paths_.checkpoints);
  if (!steps.empty()) {
    const std::string path = checkpoint_file(paths_.checkpoints, steps.back());
    try {
      state_ = load_checkpoint(path, model_);
    } catch (const Error& error) {
      if (steps.size() < 2) throw;
      RZ_FAIL(file, "{} (remove it to go on from step {})", error.message(), steps[steps.size() - 2]);
    }
    RZ_CHECK(file,
             state_.step == steps.back() && state_.position < loader_.batches() && state_.seed == recipe_.train.seed,
             "{}: belongs to another run: step {}, batch {} of {}, seed {}", path, state_.step, state_.position,
             loader_.batches(), state_.seed);
    checkpoints_.set_written(state_.step);
  }
  if (std::filesystem::exists(paths_.metrics, ignored)) read_metrics(paths_.metrics);  // what is damaged shows now
}

void Trainer::add_step(std::int64_t rows) {
  const CrossEntropyOptions loss{.label_smoothing = recipe_.train.label_smoothing};
  const std::int64_t labels = data_.train.is_text() ? data_.train.windows.labels : 1;
  const std::int64_t inputs = data_.train.image_shape.elements();
  steps_.push_back(std::make_unique<TrainingStep>(model_, *optimizer_, ema_ ? &*ema_ : nullptr, step_state_, loss,
                                                  BatchShape{rows, inputs, labels}, recipe_.train.micro_batches));
}

TrainingStep& Trainer::step_for(std::int64_t rows) {
  for (const auto& step : steps_)
    if (step->rows() == rows) return *step;
  RZ_FAIL(internal, "train: a batch of {} examples was not expected", rows);
}

Trainer::Taken Trainer::take_step(const Batch& batch) {
  const double start = seconds_now();
  Pool& memory = pool(model_.parameters().device());
  memory.reset_peak();
  TrainingStep& step = step_for(batch.labels.shape()[0]);
  step.run(batch);
  const Taken taken{step.loss(), std::fabs(step_state_.get(state_gradient_norm)), step.correct(), step.predictions(),
                    batch.labels.shape()[0]};
  state_.step += 1;
  state_.position += 1;
  state_.epoch_loss_sum += taken.loss;
  state_.epoch_steps += 1;
  state_.epoch_correct += taken.correct;
  state_.epoch_predictions += taken.predictions;
  state_.peak_bytes = std::max(state_.peak_bytes, memory.statistics().peak_bytes);
  const double seconds = seconds_now() - start;
  for (Speed* speed : {&line_speed_, &epoch_speed_, &shown_speed_}) {
    speed->seconds += seconds;
    speed->examples += taken.examples;
  }
  return taken;
}

Outcome Trainer::run(bool continue_anyway) {
  const GracefulInterrupt interrupt;
  std::error_code missing;
  if (std::filesystem::exists(paths_.metrics, missing)) cut_metrics(paths_.metrics, state_.step, state_.position == 0);
  metrics_ = std::make_unique<MetricsFile>(paths_.metrics);
  if (recipe_.train.monitor) monitor_ = std::make_unique<Monitor>(model_, *optimizer_, monitor_options(recipe_));
  progress_ = std::make_unique<Progress>("train " + recipe_.model.form, total_, state_.step);
  began_ = seconds_now() - state_.seconds;
  if (checkpoints_.written() >= 0) {
    checkpoints_.link(state_);
  } else {
    write_checkpoint();
  }
  loader_.start(state_.epoch, state_.position);
  Batch batch;
  while (state_.step < total_) {
    const bool more = loader_.next(batch);
    RZ_ASSERT(more);
    const TrainState before = state_;
    const bool logged = is_logged(state_.step + 1);
    step_state_.set(state_.step + 1, schedule_.rate(state_.step + 1));  // the monitor sees the step's dropout
    if (logged && monitor_) monitor_->before(first_part(batch.inputs, recipe_.train.micro_batches));
    const Taken taken = take_step(batch);
    if (!continue_anyway) check_finite(taken, before);
    if (logged) {
      write(to_json(line(taken, line_speed_)));
      write_monitor();
      line_speed_ = {};
    }
    show(taken);
    const bool epoch_ended = state_.position == loader_.batches(), last = state_.step == total_;
    if (epoch_ended) loader_.start(state_.epoch + 1);  // decodes ahead during validation
    const bool best = (epoch_ended || last) && end_epoch(taken);
    if (epoch_ended) begin_epoch();
    const std::int64_t every = recipe_.checkpoint.every;
    const bool due = every > 0 ? state_.step % every == 0 : epoch_ended;
    const bool stop = interrupt.requested() || last;
    if (!(due || best || stop)) continue;
    const bool written = write_checkpoint();
    if (best && !written) forget_best(before);
    if (stop) {
      close(written);
      break;
    }
  }
  return state_.step < total_ ? Outcome::interrupted : Outcome::complete;
}

void Trainer::begin_epoch() {
  state_.epoch += 1;
  state_.position = 0;
  state_.epoch_loss_sum = 0;
  state_.epoch_steps = state_.epoch_correct = state_.epoch_predictions = 0;
}

// The checkpoint of the best step could not be written: the one before it stays the best.
void Trainer::forget_best(const TrainState& before) {
  state_.best_step = before.best_step;
  state_.best_accuracy = before.best_accuracy;
  state_.best_loss = before.best_loss;
}

void Trainer::close(bool checkpoint_written) {
  progress_->finish();
  RZ_CHECK(file, checkpoint_written,
           "train: the last checkpoint is missing: {} (--resume {} goes on from the one before)", checkpoints_.reason(),
           paths_.directory);
  RZ_CHECK(file, metrics_->sync(), "{}: cannot be written: {}", paths_.metrics, metrics_->reason());
}

}  // namespace rz::tool
