#include "nn/module.h"

namespace rz::nn {

std::vector<double> gate_values(const Model& model) {
  std::vector<double> all;
  for (const Parameter& gates : model.residual_weights()) {
    const std::vector<double> values = gates.value().to_vector();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace rz::nn
