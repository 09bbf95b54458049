// Loss and accuracy of a model on a data set.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/dataset.h"
#include "nn/module.h"

namespace rz::tool {

struct Evaluation {
  std::int64_t examples = 0;
  double loss = 0;      // mean over the labels, nats
  double accuracy = 0;  // fraction
};

struct EvaluatedBatch {
  const Tensor& logits;                   // [labels, outputs]
  std::vector<std::int64_t> labels;       // CrossEntropyOptions().ignored_label where none is to be predicted
  std::vector<std::int64_t> predictions;  // the largest logit, of equal ones the first; -1 where one is NaN
};
using LookAtBatch = std::function<void(const EvaluatedBatch&)>;

// In the parameters' type, without recording and not in training mode, in the order of the set and never augmented: the
// same numbers for the same weights. `normalisation`: of images of bytes, as the model was trained. `look` sees every
// batch.
Evaluation evaluate(nn::Model& model, const Dataset& data, const Normalisation& normalisation,
                    const LookAtBatch& look = {});

}  // namespace rz::tool
