#include "tools/rezero/training_step.h"

#include <algorithm>
#include <vector>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "autograd/tape.h"
#include "core/ops.h"

namespace rz::tool {

namespace {
Tensor flat(const Tensor& x) { return x.reshape({x.elements()}); }
}  // namespace

TrainingStep::TrainingStep(nn::Model& model, const optim::Optimizer& optimizer, const optim::Ema* ema,
                           const StepState& state, const CrossEntropyOptions& loss, const BatchShape& shape,
                           std::int64_t parts)
    : model_(model),
      optimizer_(optimizer),
      ema_(ema),
      state_(state),
      part_state_(model.parameters().device()),
      loss_options_(loss),
      parts_(std::min(parts, shape.rows)) {
  const ParameterStore& store = model.parameters();
  inputs_ = Tensor({shape.rows, shape.inputs}, model.input_type(), store.device());
  labels_ = Tensor({shape.rows, shape.labels}, DType::i64, store.device());
  loss_ = Tensor({}, store.dtype(), store.device());
  predictions_ = Tensor({shape.rows, shape.labels}, DType::i64, store.device());
  if (parts_ > 1) counted_ = Tensor({}, store.dtype(), store.device());
}

// The first parts are those with one row more.
TrainingStep::Part TrainingStep::part(std::int64_t index) const {
  const std::int64_t size = rows() / parts_, larger = rows() % parts_;
  return {index * size + std::min(index, larger), size + (index < larger ? 1 : 0)};
}

// [labels, classes]
Variable TrainingStep::logits_of(const Part& rows) const {
  const Variable logits = model_.forward(inputs_.rows(rows.first, rows.count));
  const std::int64_t classes = logits.shape()[-1];
  return logits.shape().rank() == 2 ? logits : reshape(logits, {logits.value().elements() / classes, classes});
}

Variable TrainingStep::loss_of(const Variable& logits, const Part& rows) const {
  return softmax_cross_entropy(logits, flat(labels_.rows(rows.first, rows.count)), loss_options_, counted_);
}

void TrainingStep::run(const Batch& batch) {
  inputs_.copy_from(batch.inputs);
  labels_.copy_from(batch.labels.reshape(labels_.shape()));
  const std::vector<std::int64_t> labels = batch.labels.to_integers();
  predicted_ = std::ssize(labels) - std::ranges::count(labels, loss_options_.ignored_label);
  if (counted_.defined()) counted_.copy_from(Tensor::full({}, static_cast<double>(predicted_), counted_.dtype()));
  step_.run([&] {
    for (std::int64_t k = 0; k < parts_; ++k) {
      const Part rows = part(k);
      Tape tape;
      const Variable logits = logits_of(rows);
      const Variable loss = loss_of(logits, rows);
      ops::add_to(loss.value(), {loss_, k > 0});
      ops::add_to(ops::argmax_rows(logits.value()), {flat(predictions_.rows(rows.first, rows.count))});
      tape.backward(loss, k > 0);
      if (k + 1 < parts_ && model_.has_batch_norm()) {  // the parts so far may not be finite
        ops::clip_scale(ops::sum_of_squares(model_.parameters().gradients()), 0, part_state_.tensor());
        model_.update_statistics(part_state_);
      }
    }
    optimizer_.step(model_.parameters(), state_);
    model_.update_statistics(state_);  // now the state knows whether the gradients were finite
    if (ema_) ema_->update(model_.parameters(), state_);
  });
}

std::int64_t TrainingStep::correct() const {
  const std::vector<std::int64_t> predicted = predictions_.to_integers(), labels = labels_.to_integers();
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) equal += predicted[i] == labels[i];
  return equal;
}

std::string TrainingStep::first_nonfinite() const {
  const FiniteCheck check;
  for (std::int64_t k = 0; k < parts_ && check.first().empty(); ++k) {
    const Part rows = part(k);
    loss_of(logits_of(rows), rows);
  }
  return check.first();
}

}  // namespace rz::tool
