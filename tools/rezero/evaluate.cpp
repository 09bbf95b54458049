#include "tools/rezero/evaluate.h"

#include <cmath>

#include "autograd/ops.h"
#include "core/ops.h"
#include "data/loader.h"

namespace rz::tool {
namespace {

constexpr std::int64_t evaluated_at_once = 500;  // part of the result: sums are taken batch by batch

std::int64_t count_equal(const Tensor& predictions, const Tensor& labels) {
  const std::vector<std::int64_t> a = predictions.to_integers(), b = labels.to_integers();
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i];
  return equal;
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

Evaluation evaluate(nn::Model& model, const Dataset& data) {
  const Evaluating mode(model);
  const ParameterStore& store = model.parameters();
  Loader loader(data, {.batch_size = evaluated_at_once, .shuffle = false, .normalisation = {}, .dtype = store.dtype()});
  Evaluation result;
  double loss_sum = 0;
  std::int64_t correct = 0;
  Batch batch;
  for (loader.start(0); loader.next(batch);) {
    const Tensor labels = batch.labels.to(store.device());
    const Variable logits = model.forward(batch.images.to(store.device()));
    const std::int64_t examples = batch.labels.elements();
    loss_sum += softmax_cross_entropy(logits, labels).item() * static_cast<double>(examples);
    correct += count_equal(ops::argmax_rows(logits.value()), batch.labels);
    result.examples += examples;
  }
  result.loss = std::fabs(loss_sum) / static_cast<double>(result.examples);  // never negative; a NaN loses its sign
  result.accuracy = static_cast<double>(correct) / static_cast<double>(result.examples);
  return result;
}

}  // namespace rz::tool
