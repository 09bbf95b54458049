// The paper's smallest network: one neuron, L linear layers with one weight w and one residual weight a,
//     x_L = (1 + a w)^L x_0,   cost C = mean over x_0 of (x_L - 50 x_0)^2,   x_0 = 1.0, 1.1, ..., 1.8.
// ReZero (2003.04887), section 3.1: around a = 1 the cost is badly conditioned; at a = 0 it is not.
#pragma once

#include <cstdint>
#include <vector>

namespace rz::isometry {

struct OneNeuron {
  std::int64_t layers = 5;
  double target = 50;  // x_L is to be target x_0
};

struct CostPoint {
  double w = 0, a = 0;
  double cost = 0;
  double d_w = 0, d_a = 0;  // dC/dw, dC/da
  double gradient_norm() const;
};

// By the tape: forward through the layers, and backward.
CostPoint cost_at(const OneNeuron& net, double w, double a);

// Gradient descent (w, a) -= rate (dC/dw, dC/da) from (w, a), all points with the start. Ends after `steps`, when the
// cost is below 1e-10, or before a point that is not finite.
std::vector<CostPoint> descend(const OneNeuron& net, double w, double a, double rate, std::int64_t steps);

}  // namespace rz::isometry
