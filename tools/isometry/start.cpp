#include "tools/isometry/start.h"

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/ops.h"
#include "nn/residual.h"
#include "tools/isometry/part.h"

namespace rz::isometry {

namespace {

double root_mean_square(const Tensor& x) {
  return std::sqrt(ops::sum_of_squares(x).item() / static_cast<double>(x.elements()));
}

// Mean over each connection's gates, of which there may be one for several; NaN where there are none.
double mean_gate(const std::vector<double>& gates, std::size_t layers, std::size_t layer) {
  if (gates.empty()) return std::numeric_limits<double>::quiet_NaN();
  const std::size_t each = gates.size() / layers;
  if (each == 0) return gates[layer * gates.size() / layers];
  double sum = 0;
  for (std::size_t k = 0; k < each; ++k) sum += gates[layer * each + k];
  return sum / static_cast<double>(each);
}

}  // namespace

Start measure_start(const nn::Model& model, const Tensor& inputs, std::int64_t jacobians) {
  RZ_CHECK(shape, jacobians >= 1 && jacobians <= inputs.shape()[0], "start: {} Jacobians of {} inputs were asked for",
           jacobians, inputs.shape()[0]);
  Start start;
  {
    const nn::ResidualProbe probe([&](const nn::ConnectionValues& c) {
      if (c.connection == 0) start.input_norm = root_mean_square(c.x);
      start.layers.push_back(
          {.branch_ratio = root_mean_square(c.branch) / root_mean_square(c.x), .norm = root_mean_square(c.y)});
    });
    const Part network = network_part(model);
    apply(network, Variable(input_of(network, inputs)));
  }
  const std::vector<double> gates = nn::gate_values(model);
  for (std::size_t l = 0; l < start.layers.size(); ++l) start.layers[l].gate = mean_gate(gates, start.layers.size(), l);
  const Part stack = stack_part(model);
  std::vector<Tensor> matrices;
  for (std::int64_t i = 0; i < jacobians; ++i)
    matrices.push_back(jacobian(stack, inputs.rows(i, 1), {.concurrent = true}));
  start.stack = analyze(matrices, "stack");
  return start;
}

}  // namespace rz::isometry
