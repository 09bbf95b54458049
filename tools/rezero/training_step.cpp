#include "tools/rezero/training_step.h"

#include <vector>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "autograd/tape.h"
#include "core/ops.h"

namespace rz::tool {

TrainingStep::TrainingStep(nn::Model& model, const optim::Optimizer& optimizer, const StepState& state,
                           const CrossEntropyOptions& loss, std::int64_t rows)
    : model_(model), optimizer_(optimizer), state_(state), loss_options_(loss) {
  const ParameterStore& store = model.parameters();
  images_ = Tensor({rows, model.input_shape().elements()}, store.dtype(), store.device());
  labels_ = Tensor({rows}, DType::i64, store.device());
  loss_ = Tensor({}, store.dtype(), store.device());
  predictions_ = Tensor({rows}, DType::i64, store.device());
}

Variable TrainingStep::loss_of(const Variable& logits) const {
  return softmax_cross_entropy(logits, labels_, loss_options_);
}

void TrainingStep::run(const Batch& batch) {
  images_.copy_from(batch.images);
  labels_.copy_from(batch.labels);
  step_.run([&] {
    Tape tape;
    const Variable logits = model_.forward(images_);
    const Variable loss = loss_of(logits);
    loss_ = loss.value();
    predictions_ = ops::argmax_rows(logits.value());
    tape.backward(loss);
    optimizer_.step(model_.parameters(), state_);
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
  loss_of(model_.forward(images_));
  return check.first();
}

}  // namespace rz::tool
