#include "tools/rezero/classification.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"

namespace rz::tool {
namespace {

// Sums over the batches of a pass.
class Tally {
 public:
  explicit Tally(std::int64_t classes) : classes_(classes) {
    result_.examples.assign(static_cast<std::size_t>(classes), 0);
    result_.correct = result_.examples;
    if (classes <= most_confused_classes) result_.confusion.assign(static_cast<std::size_t>(classes * classes), 0);
  }

  void add(const EvaluatedBatch& batch) {
    RZ_CHECK(shape, batch.logits.shape()[1] == classes_, "eval: the network has {} outputs, but the data {} classes",
             batch.logits.shape()[1], classes_);
    const std::vector<double> logits = batch.logits.to_vector();
    const auto width = static_cast<std::size_t>(classes_);
    for (std::size_t i = 0; i < batch.labels.size(); ++i) {
      top5_ += in_top(5, std::span(logits).subspan(i * width, width), batch.labels[i]);
      add(batch.labels[i], batch.predictions[i]);
    }
  }

  Classification finish(const Evaluation& evaluation) {
    result_.evaluation = evaluation;
    result_.top5 = static_cast<double>(top5_) / static_cast<double>(evaluation.examples);
    return std::move(result_);
  }

 private:
  void add(std::int64_t truth, std::int64_t predicted) {
    ++result_.examples[static_cast<std::size_t>(truth)];
    if (predicted == truth) ++result_.correct[static_cast<std::size_t>(truth)];
    if (predicted < 0) {
      ++result_.unpredicted;
    } else if (!result_.confusion.empty()) {
      ++result_.confusion[static_cast<std::size_t>(truth * classes_ + predicted)];
    }
  }

  Classification result_;
  std::int64_t classes_, top5_ = 0;
};

}  // namespace

bool classifies(const Dataset& data) { return !data.labels.empty() && std::ssize(data.labels) == data.size(); }

std::optional<double> Classification::accuracy(std::int64_t c) const {
  const auto at = static_cast<std::size_t>(c);
  if (examples[at] == 0) return {};
  return static_cast<double>(correct[at]) / static_cast<double>(examples[at]);
}

std::int64_t Classification::confused(std::int64_t truth, std::int64_t predicted) const {
  return confusion[static_cast<std::size_t>(truth * classes() + predicted)];
}

std::optional<std::int64_t> Classification::mistaken_for(std::int64_t truth) const {
  std::optional<std::int64_t> most;
  for (std::int64_t c = 0; c < classes() && !confusion.empty(); ++c)
    if (c != truth && confused(truth, c) > (most ? confused(truth, *most) : 0)) most = c;
  return most;
}

bool in_top(std::int64_t k, std::span<const double> logits, std::int64_t label) {
  const double own = logits[static_cast<std::size_t>(label)];
  std::int64_t larger = 0;
  for (const double logit : logits) {
    if (std::isnan(logit)) return false;
    larger += logit > own;
  }
  return larger < k;
}

Classification classify(nn::Model& model, const Dataset& data, const Normalisation& normalisation) {
  Tally tally(data.classes());
  const Evaluation evaluation =
      evaluate(model, data, normalisation, [&](const EvaluatedBatch& batch) { tally.add(batch); });
  return tally.finish(evaluation);
}

}  // namespace rz::tool
