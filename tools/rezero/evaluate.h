// Loss and accuracy of a model on a data set.
#pragma once

#include <cstdint>

#include "data/dataset.h"
#include "nn/module.h"

namespace rz::tool {

struct Evaluation {
  std::int64_t examples = 0;
  double loss = 0;      // mean over the labels, nats
  double accuracy = 0;  // fraction
};

// In the parameters' type, without recording and not in training mode, in the order of the set and never augmented: the
// same numbers for the same weights. `normalisation`: of images of bytes, as the model was trained.
Evaluation evaluate(nn::Model& model, const Dataset& data, const Normalisation& normalisation);

}  // namespace rz::tool
