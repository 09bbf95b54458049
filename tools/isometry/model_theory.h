// Which random network of theory a model is at its start.
#pragma once

#include <optional>
#include <string>

#include "nn/module.h"
#include "tools/isometry/part.h"
#include "tools/isometry/theory/random_net.h"

namespace rz::isometry {

struct ModelTheory {
  std::optional<RandomNet> net;
  std::string reason;  // why there is none
};

// Of the layers of `part` at initial weights, with the gates that the model holds, for inputs [inputs, ...input_shape]
// of the model: their mean square and mean at the part's input start a residual stream.
ModelTheory model_theory(const nn::Model& model, const Part& part, const Tensor& inputs);

}  // namespace rz::isometry
