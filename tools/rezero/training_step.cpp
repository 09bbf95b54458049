#include "tools/rezero/training_step.h"

#include <algorithm>
#include <vector>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "autograd/tape.h"
#include "core/ops.h"

namespace rz::tool {

TrainingStep::TrainingStep(nn::Model& model, const optim::Optimizer& optimizer, const optim::Ema* ema,
                           const StepState& state, const CrossEntropyOptions& loss, std::int64_t rows,
                           std::int64_t parts)
    : model_(model),
      optimizer_(optimizer),
      ema_(ema),
      state_(state),
      loss_options_(loss),
      parts_(std::min(parts, rows)) {
  const ParameterStore& store = model.parameters();
  images_ = Tensor({rows, model.input_shape().elements()}, store.dtype(), store.device());
  labels_ = Tensor({rows}, DType::i64, store.device());
  loss_ = Tensor({}, store.dtype(), store.device());
  predictions_ = Tensor({rows}, DType::i64, store.device());
}

// The first parts are those with one row more.
TrainingStep::Part TrainingStep::part(std::int64_t index) const {
  const std::int64_t size = rows() / parts_, larger = rows() % parts_;
  return {index * size + std::min(index, larger), size + (index < larger ? 1 : 0)};
}

Tensor TrainingStep::counted() const {
  return parts_ == 1 ? Tensor() : counted_rows(labels_, loss_options_, images_.dtype());
}

Variable TrainingStep::loss_of(const Variable& logits, const Part& rows, const Tensor& counted) const {
  if (!counted.defined()) return softmax_cross_entropy(logits, labels_, loss_options_);
  return softmax_cross_entropy(logits, labels_.rows(rows.first, rows.count), loss_options_, counted);
}

void TrainingStep::run(const Batch& batch) {
  images_.copy_from(batch.images);
  labels_.copy_from(batch.labels);
  step_.run([&] {
    const Tensor all = counted();
    for (std::int64_t k = 0; k < parts_; ++k) {
      const Part rows = part(k);
      Tape tape;
      const Variable logits = model_.forward(images_.rows(rows.first, rows.count));
      const Variable loss = loss_of(logits, rows, all);
      ops::add_to(loss.value(), {loss_, k > 0});
      ops::add_to(ops::argmax_rows(logits.value()), {predictions_.rows(rows.first, rows.count)});
      tape.backward(loss, k > 0);
    }
    optimizer_.step(model_.parameters(), state_);
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
  const Tensor all = counted();
  for (std::int64_t k = 0; k < parts_ && check.first().empty(); ++k) {
    const Part rows = part(k);
    loss_of(model_.forward(images_.rows(rows.first, rows.count)), rows, all);
  }
  return check.first();
}

}  // namespace rz::tool
