// How a network classifies a data set: right at once or among five, class by class, and what is taken for what.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tools/rezero/evaluate.h"

namespace rz::tool {

bool classifies(const Dataset& data);  // one label per example; of texts there are many

// Up to so many classes the confusion matrix is kept: beyond them it would be larger than what is learned from.
inline constexpr std::int64_t most_confused_classes = 2048;

struct Classification {
  Evaluation evaluation;                        // accuracy: top-1; of equal logits the first counts
  double top5 = 0;                              // fraction, see in_top
  std::vector<std::int64_t> examples, correct;  // by true class
  std::vector<std::int64_t> confusion;          // [classes, classes], true by predicted; empty: too many classes
  std::int64_t unpredicted = 0;                 // examples with a logit that is NaN: wrong, and in no column

  std::int64_t classes() const { return std::ssize(examples); }
  std::optional<double> accuracy(std::int64_t c) const;  // nothing for a class without examples
  std::int64_t confused(std::int64_t truth, std::int64_t predicted) const;
  // What a class is most often taken for, of equal ones the first; nothing if it is never mistaken.
  std::optional<std::int64_t> mistaken_for(std::int64_t truth) const;
};

// Whether fewer than k logits are larger than that of the label. Never where one is NaN.
bool in_top(std::int64_t k, std::span<const double> logits, std::int64_t label);

// In one pass over data that classify.   Throws: shape (the model has not one output per class); as evaluate()
Classification classify(nn::Model& model, const Dataset& data, const Normalisation& normalisation);

}  // namespace rz::tool
