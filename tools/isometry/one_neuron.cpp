#include "tools/isometry/one_neuron.h"

#include <cmath>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/error.h"

namespace rz::isometry {

double CostPoint::gradient_norm() const { return std::hypot(d_w, d_a); }

CostPoint cost_at(const OneNeuron& net, double w, double a) {
  RZ_CHECK(value, net.layers >= 1, "one neuron: {} layers were given, at least 1 is needed", net.layers);
  const Tensor inputs = Tensor::of({9}, std::vector{1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8});
  Tape tape;
  const Variable weight = tape.leaf(Tensor::of({1}, std::vector{w})), gate = tape.leaf(Tensor::of({1}, std::vector{a}));
  Variable x(inputs);
  for (std::int64_t l = 0; l < net.layers; ++l) x = residual_add(x, multiply(x, weight), gate, 0);
  const Variable cost = mean(square(subtract(x, scale(net.target, Variable(inputs)))));
  const double value = cost.value().item();
  tape.backward(cost);
  return {w, a, value, tape.gradient(weight).item(), tape.gradient(gate).item()};
}

std::vector<CostPoint> descend(const OneNeuron& net, double w, double a, double rate, std::int64_t steps) {
  std::vector<CostPoint> path{cost_at(net, w, a)};
  for (std::int64_t t = 0; t < steps && path.back().cost > 1e-10; ++t) {
    const CostPoint& p = path.back();
    const CostPoint next = cost_at(net, p.w - rate * p.d_w, p.a - rate * p.d_a);
    if (!std::isfinite(next.cost) || !std::isfinite(next.gradient_norm())) break;
    path.push_back(next);
  }
  return path;
}

}  // namespace rz::isometry
