// What a Trainer writes and says: metrics, checkpoints, progress, and a loss that is not finite.
#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "core/ops.h"
#include "data/text.h"
#include "tools/rezero/timing.h"
#include "tools/rezero/trainer.h"

namespace rz::tool {

// A step whose gradient norm is not finite has changed nothing, so that the state before it is still there to be saved.
void Trainer::check_finite(const Taken& taken, const TrainState& before) {
  const bool loss_is_finite = std::isfinite(taken.loss);
  if (loss_is_finite && std::isfinite(taken.gradient_norm)) return;
  const std::string first = loss_is_finite ? optim::first_nonfinite_gradient(model_.parameters())
                                           : step_for(taken.examples).first_nonfinite();
  write(to_json(line(taken, line_speed_)));
  state_ = before;
  if (state_.epoch_steps > 0)  // what the epoch came to so far
    write(to_json(epoch_line(taken)));
  const bool weights_are_finite = std::isfinite(ops::sum_of_squares(model_.parameters().values()).item());
  if (weights_are_finite && checkpoints_.written() != before.step) write_checkpoint();
  progress_->finish();
  RZ_FAIL(value,
          "train: the {} of step {} is {}: {} {} (lower optimizer.learning_rate, set optimizer.clip_norm, or choose "
          "another model.form; --continue trains on)",
          loss_is_finite ? "gradient norm" : "loss", before.step + 1, loss_is_finite ? taken.gradient_norm : taken.loss,
          first.empty() ? "the sum" : first,
          loss_is_finite ? "has the first gradient that is not finite" : "has the first value that is not finite");
}

Metrics Trainer::line(const Taken& taken, const Speed& speed) {
  state_.seconds = seconds_now() - began_;
  ParameterStore& store = model_.parameters();
  Metrics m;
  m.step = state_.step;
  m.epoch = state_.epoch + 1;
  m.unit = loss_unit(data_.train);
  m.train_loss = taken.loss;
  m.train_accuracy = static_cast<double>(taken.correct) / static_cast<double>(taken.predictions);
  for (const Role role : all_roles)
    if (store.values(role).defined())
      m.learning_rate.emplace_back(name(role), schedule_.rate(state_.step) * optimizer_->rate_factor(role));
  if (recipe_.base_depth)
    m.learning_rate.emplace_back("layers", schedule_.rate(state_.step) * optimizer_->rate_factor(Role::weight) *
                                               optimizer_->options().layers.rate_factor);
  m.gradient_norm = taken.gradient_norm;
  if (const std::vector<double> gates = nn::gate_values(model_); !gates.empty()) m.residual_weights = summarise(gates);
  m.seconds = state_.seconds;
  m.examples_per_second = speed.rate();
  m.peak_bytes = state_.peak_bytes;
  return m;
}

// Of the averages of the weights when they are kept.
Evaluation Trainer::validate() {
  if (!ema_) return evaluate(model_, data_.validation, normalisation_of(recipe_));
  const optim::AveragedWeights averaged(model_.parameters());
  return evaluate(model_, data_.validation, normalisation_of(recipe_));
}

Metrics Trainer::epoch_line(const Taken& taken) {
  Metrics m = line(taken, epoch_speed_);
  epoch_speed_ = {};
  m.of_epoch = true;
  m.train_loss = state_.epoch_loss_sum / static_cast<double>(state_.epoch_steps);
  m.train_accuracy = static_cast<double>(state_.epoch_correct) / static_cast<double>(state_.epoch_predictions);
  return m;
}

bool Trainer::end_epoch(const Taken& taken) {
  Metrics m = epoch_line(taken);
  const Evaluation validation = validate();
  m.validation_loss = validation.loss;
  m.validation_accuracy = validation.accuracy;
  m.seconds = state_.seconds = seconds_now() - began_;
  write(to_json(m));
  last_epoch_ = m;
  say_epoch(m);
  const bool lower = validation.loss < state_.best_loss;
  const bool right =
      validation.accuracy > state_.best_accuracy || (validation.accuracy == state_.best_accuracy && lower);
  const bool better = state_.best_step < 0 || (m.unit == LossUnit::nats ? right : lower);
  if (!better || !std::isfinite(validation.loss)) return false;
  state_.best_step = state_.step;
  state_.best_accuracy = validation.accuracy;
  state_.best_loss = validation.loss;
  return true;
}

void Trainer::write(std::string_view line) {
  const bool written = metrics_->write(line);
  if (!written && !metrics_failed_)
    progress_->message(fmt::format("rezero: {}: cannot be written: {} (training goes on, lines are kept)",
                                   paths_.metrics, metrics_->reason()));
  metrics_failed_ = !written;
}

void Trainer::write_monitor() {
  if (!monitor_) return;
  write(monitor_->after(state_.step, state_.epoch + 1));
  for (const std::string& warning : monitor_->warnings())
    progress_->message(fmt::format("rezero: step {}: {}", state_.step, warning));
}

bool Trainer::write_checkpoint() {
  state_.seconds = seconds_now() - began_;
  metrics_->sync();  // lines are on the disk before the checkpoint that follows them
  if (checkpoints_.write(model_, state_)) return true;
  progress_->message(
      fmt::format("rezero: checkpoint of step {}: {} (training goes on)", state_.step, checkpoints_.reason()));
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
  progress_->message(
      fmt::format("epoch {}/{}: loss {:.4f}, accuracy {:.4f}; validation loss {:.4f}{}, accuracy {:.4f}; {:.1f} s",
                  m.epoch, epochs, m.train_loss, m.train_accuracy, *m.validation_loss,
                  unit_text(m.unit, *m.validation_loss), *m.validation_accuracy, m.seconds));
}

}  // namespace rz::tool
