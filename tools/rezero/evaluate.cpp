#include "tools/rezero/evaluate.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "core/ops.h"
#include "data/loader.h"

namespace rz::tool {
namespace {

// Parts of the result: sums are taken batch by batch.
constexpr std::int64_t evaluated_at_once = 500, tokens_at_once = 8192;

std::int64_t count_equal(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i];
  return equal;
}

std::int64_t count_ignored(const Tensor& labels) {
  return std::ranges::count(labels.to_integers(), CrossEntropyOptions().ignored_label);
}

// Leaves training mode while it lives.
class Evaluating {
 public:
  explicit Evaluating(nn::Model& model) : model_(model), was_training_(model.training()) { model_.set_training(false); }
  ~Evaluating() { model_.set_training(was_training_); }
  Evaluating(const Evaluating&) = delete;
  Evaluating& operator=(const Evaluating&) = delete;

 private:
  nn::Model& model_;
  bool was_training_;
};

}  // namespace

Evaluation evaluate(nn::Model& model, const Dataset& data, const Normalisation& normalisation,
                    const LookAtBatch& look) {
  const Evaluating mode(model);
  const ParameterStore& store = model.parameters();
  const std::int64_t tokens = data.is_text() ? data.image_shape.elements() : 1;
  const std::int64_t rows = std::clamp<std::int64_t>(tokens_at_once / tokens, 1, evaluated_at_once);
  Loader loader(data, {.batch_size = rows, .shuffle = false, .normalisation = normalisation, .dtype = store.dtype()});
  Evaluation result;
  double loss_sum = 0;
  std::int64_t correct = 0, counted = 0;
  Batch batch;
  for (loader.start(0); loader.next(batch);) {
    const Tensor labels = batch.labels.reshape({batch.labels.elements()});
    const std::int64_t counts = labels.elements() - count_ignored(labels);
    result.examples += batch.labels.shape()[0];
    if (counts == 0) continue;
    const Variable outputs = model.forward(batch.inputs.to(store.device()));
    const Tensor logits = outputs.value().reshape({labels.elements(), outputs.shape()[-1]});
    loss_sum += softmax_cross_entropy(Variable(logits), labels.to(store.device())).item() * static_cast<double>(counts);
    const EvaluatedBatch evaluated{logits, labels.to_integers(), ops::argmax_rows(logits).to_integers()};
    correct += count_equal(evaluated.predictions, evaluated.labels);
    if (look) look(evaluated);
    counted += counts;
  }
  result.loss = std::fabs(loss_sum) / static_cast<double>(counted);  // never negative; a NaN loses its sign
  result.accuracy = static_cast<double>(correct) / static_cast<double>(counted);
  return result;
}

}  // namespace rz::tool
