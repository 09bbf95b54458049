#include "tools/rezero/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/error.h"
#include "core/memory.h"
#include "core/ops.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/evaluate.h"
#include "tools/rezero/interrupt.h"

namespace rz::tool {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::int64_t count_steps(const TrainRecipe& train, std::int64_t batches) {
  constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
  return std::min(train.epochs > 0 ? train.epochs * batches : no_limit, train.steps > 0 ? train.steps : no_limit);
}

LoaderOptions loader_options(const TrainRecipe& train) {
  return {.batch_size = train.batch_size, .seed = static_cast<std::uint64_t>(train.seed), .normalisation = {}, .dtype = train.precision};
}

}  // namespace

Trainer::Trainer(const Recipe& recipe, const DataSplits& data, nn::Model& model, const RunPaths& paths)
    : recipe_(recipe),
      data_(data),
      model_(model),
      paths_(paths),
      optimizer_(optim::Optimizer::create(recipe.optimizer)),
      loader_(data.train, loader_options(recipe.train)),
      total_(count_steps(recipe.train, loader_.batches())),
      schedule_(recipe.schedule, recipe.optimizer.learning_rate, total_),
      step_state_(model.parameters().device()),
      checkpoints_(paths, recipe.checkpoint.keep) {
  model.set_training(true);
  // All memory that outlives a step is there before the first: peak_bytes of a step is then the same after a resume.
  optimizer_->prepare(model.parameters());
  model.parameters().gradients();
  const std::int64_t size = data.train.size(), batch = recipe.train.batch_size;
  if (size >= batch) add_step(batch);
  if (size % batch != 0) add_step(size % batch);
  state_.seed = recipe.train.seed;
}

void Trainer::go_on() {
  remove_temporary_files(paths_.directory);
  remove_temporary_files(paths_.checkpoints);
  const std::vector<std::int64_t> steps = checkpoint_steps(paths_.checkpoints);
  if (!steps.empty()) {
    const std::string path = checkpoint_file(paths_.checkpoints, steps.back());
    state_ = load_checkpoint(path, model_.parameters());
    RZ_CHECK(file, state_.step == steps.back() && state_.position < loader_.batches() && state_.seed == recipe_.train.seed,
             "{}: belongs to another run: step {}, batch {} of {}, seed {}", path, state_.step, state_.position, loader_.batches(),
             state_.seed);
    checkpoints_.set_written(state_.step);
  }
}

void Trainer::add_step(std::int64_t rows) {
  const CrossEntropyOptions loss{.label_smoothing = recipe_.train.label_smoothing};
  steps_.push_back(std::make_unique<TrainingStep>(model_, *optimizer_, step_state_, loss, rows));
}

TrainingStep& Trainer::step_for(std::int64_t rows) {
  for (const auto& step : steps_)
    if (step->rows() == rows) return *step;
  RZ_FAIL(internal, "train: a batch of {} examples was not expected", rows);
}

Trainer::Taken Trainer::take_step(const Batch& batch) {
  const double start = now();
  Pool& memory = pool(model_.parameters().device());
  memory.reset_peak();
  TrainingStep& step = step_for(batch.labels.elements());
  step_state_.set(state_.step + 1, schedule_.rate(state_.step + 1));
  step.run(batch);
  const Taken taken{step.loss(), step_state_.get(state_gradient_norm), step.correct(), batch.labels.elements()};
  state_.step += 1;
  state_.position += 1;
  state_.epoch_loss_sum += taken.loss;
  state_.epoch_steps += 1;
  state_.epoch_correct += taken.correct;
  state_.epoch_examples += taken.examples;
  state_.peak_bytes = std::max(state_.peak_bytes, memory.statistics().peak_bytes);
  const double seconds = now() - start;
  for (Speed* speed : {&line_speed_, &epoch_speed_, &shown_speed_}) {
    speed->seconds += seconds;
    speed->examples += taken.examples;
  }
  return taken;
}

// A step whose gradient norm is not finite has changed nothing, so that the state before it is still there to be saved.
void Trainer::check_finite(const Taken& taken, const TrainState& before) {
  const bool loss_is_finite = std::isfinite(taken.loss);
  if (loss_is_finite && std::isfinite(taken.gradient_norm)) return;
  const std::string first = loss_is_finite ? optim::first_nonfinite_gradient(model_.parameters()) : step_for(taken.examples).first_nonfinite();
  write(line(taken, line_speed_));
  const bool weights_are_finite = std::isfinite(ops::sum_of_squares(model_.parameters().values()).item());
  if (weights_are_finite && checkpoints_.written() != before.step) {
    state_ = before;
    write_checkpoint();
  }
  progress_->finish();
  RZ_FAIL(value, "train: the {} of step {} is {}: {} {} (lower optimizer.learning_rate, set optimizer.clip_norm, or choose another model.form; --continue trains on)",
          loss_is_finite ? "gradient norm" : "loss", before.step + 1, loss_is_finite ? taken.gradient_norm : taken.loss,
          first.empty() ? "the sum" : first, loss_is_finite ? "has the first gradient that is not finite" : "has the first value that is not finite");
}

Metrics Trainer::line(const Taken& taken, const Speed& speed) {
  state_.seconds = now() - began_;
  ParameterStore& store = model_.parameters();
  Metrics m;
  m.step = state_.step;
  m.epoch = state_.epoch + 1;
  m.train_loss = taken.loss;
  m.train_accuracy = static_cast<double>(taken.correct) / static_cast<double>(taken.examples);
  for (const Role role : all_roles)
    if (store.values(role).defined())
      m.learning_rate.emplace_back(name(role), schedule_.rate(state_.step) * optimizer_->rate_factor(role));
  m.gradient_norm = taken.gradient_norm;
  if (const Parameter gates = model_.residual_weights(); gates.defined()) m.residual_weights = summarise(gates.value().to_vector());
  m.seconds = state_.seconds;
  m.examples_per_second = speed.rate();
  m.peak_bytes = state_.peak_bytes;
  return m;
}

bool Trainer::end_epoch(const Taken& taken) {
  Metrics m = line(taken, epoch_speed_);
  epoch_speed_ = {};
  m.of_epoch = true;
  m.train_loss = state_.epoch_loss_sum / static_cast<double>(state_.epoch_steps);
  m.train_accuracy = static_cast<double>(state_.epoch_correct) / static_cast<double>(state_.epoch_examples);
  const Evaluation validation = evaluate(model_, data_.validation);
  m.validation_loss = validation.loss;
  m.validation_accuracy = validation.accuracy;
  m.seconds = state_.seconds = now() - began_;
  write(m);
  last_epoch_ = m;
  say_epoch(m);
  const bool better = state_.best_step < 0 || validation.accuracy > state_.best_accuracy ||
                      (validation.accuracy == state_.best_accuracy && validation.loss < state_.best_loss);
  if (!better || !std::isfinite(validation.loss)) return false;
  state_.best_step = state_.step;
  state_.best_accuracy = validation.accuracy;
  state_.best_loss = validation.loss;
  return true;
}

void Trainer::write(const Metrics& line) {
  const bool written = metrics_->write(line);
  if (!written && !metrics_failed_)
    progress_->message(fmt::format("rezero: {}: cannot be written: {} (training goes on, lines are kept)", paths_.metrics, metrics_->reason()));
  metrics_failed_ = !written;
}

bool Trainer::write_checkpoint() {
  state_.seconds = now() - began_;
  metrics_->sync();  // lines are on the disk before the checkpoint that follows them
  if (checkpoints_.write(model_.parameters(), state_)) return true;
  progress_->message(fmt::format("rezero: checkpoint of step {}: {} (training goes on)", state_.step, checkpoints_.reason()));
  return false;
}

void Trainer::show(const Taken& taken) {
  if (!progress_->due(state_.step)) return;
  const double speed = shown_speed_.rate();
  shown_speed_ = {};
  progress_->update(state_.step, fmt::format("epoch {}, loss {:.4g}, {} examples/s", state_.epoch + 1, taken.loss,
                                             grouped(static_cast<std::uint64_t>(speed))));
}

// At most about 20 epochs of a run are told.
void Trainer::say_epoch(const Metrics& m) {
  const std::int64_t epochs = (total_ + loader_.batches() - 1) / loader_.batches(), every = (epochs + 19) / 20;
  if (m.epoch % every != 0 && m.epoch != 1 && m.epoch != epochs) return;
  progress_->message(fmt::format("epoch {}/{}: loss {:.4f}, accuracy {:.4f}; validation loss {:.4f}, accuracy {:.4f}; {:.1f} s", m.epoch,
                                 epochs, m.train_loss, m.train_accuracy, *m.validation_loss, *m.validation_accuracy, m.seconds));
}

Outcome Trainer::run(bool continue_anyway) {
  const GracefulInterrupt interrupt;
  std::error_code missing;
  if (std::filesystem::exists(paths_.metrics, missing)) cut_metrics(paths_.metrics, state_.step, state_.position == 0);
  metrics_ = std::make_unique<MetricsFile>(paths_.metrics);
  progress_ = std::make_unique<Progress>("train " + recipe_.model.form, total_, state_.step);
  began_ = now() - state_.seconds;
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
    const Taken taken = take_step(batch);
    if (!continue_anyway) check_finite(taken, before);
    if (state_.step == 1 || state_.step % recipe_.train.log_every == 0) {
      write(line(taken, line_speed_));
      line_speed_ = {};
    }
    show(taken);
    const bool epoch_ended = state_.position == loader_.batches(), last = state_.step == total_;
    if (epoch_ended) loader_.start(state_.epoch + 1);  // decodes ahead during validation
    const bool best = (epoch_ended || last) && end_epoch(taken);
    if (epoch_ended) {
      state_.epoch += 1;
      state_.position = 0;
      state_.epoch_loss_sum = 0;
      state_.epoch_steps = state_.epoch_correct = state_.epoch_examples = 0;
    }
    const std::int64_t every = recipe_.checkpoint.every;
    const bool due = every > 0 ? state_.step % every == 0 : epoch_ended;
    const bool stop = interrupt.requested();
    if (!(due || best || last || stop)) continue;
    const bool written = write_checkpoint();
    if (best && !written) {
      state_.best_step = before.best_step;
      state_.best_accuracy = before.best_accuracy;
      state_.best_loss = before.best_loss;
    }
    if (!(last || stop)) continue;
    progress_->finish();
    RZ_CHECK(file, written, "train: the last checkpoint is missing: {} (--resume {} goes on from the one before)", checkpoints_.reason(),
             paths_.directory);
    RZ_CHECK(file, metrics_->sync(), "{}: cannot be written: {}", paths_.metrics, metrics_->reason());
    if (!last) return Outcome::interrupted;
  }
  return Outcome::complete;
}

}  // namespace rz::tool
