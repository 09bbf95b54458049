#include "nn/module.h"

#include "core/error.h"

namespace rz::nn {

std::vector<double> gate_values(const Model& model) {
  std::vector<double> all;
  for (const Parameter& gates : model.residual_weights()) {
    const std::vector<double> values = gates.value().to_vector();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

std::int64_t Model::fit_memory(std::int64_t, std::int64_t) {
  RZ_FAIL(value, "model: this family keeps what it computes, it has no layers to compute twice ({})",
          "resnet, preact_resnet and cnn do");
}

}  // namespace rz::nn
