// A random fully connected network, and the theory of its Jacobian.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "tools/isometry/theory/finite_width.h"
#include "tools/isometry/theory/law.h"
#include "tools/isometry/theory/mean_field.h"

namespace rz::isometry {

// Layers h = W f(h) + b, or x + a F(x) with F by `order`; W_ij from N(0, sigma_w^2 / fan_in) or sigma_w times Haar.
struct RandomNet {
  Scalar activation;
  double sigma_w = 1, sigma_b = 0;
  Weights weights = Weights::gaussian;
  std::int64_t depth = 1;
  double q_star = std::numeric_limits<double>::quiet_NaN();  // fixed point of lengths, where it is known; NaN: found
  std::vector<double> gates{};  // a_l of residual nets, one per layer; empty: no skip connection
  nn::Branch order = nn::Branch::activation_last;
  double q_0 = 1, mean_0 = 0;  // of residual nets: |x_0|^2 / width, and the mean over its units

  bool residual() const { return !gates.empty(); }
};

// Of the weights and biases, as those of a deep net.
MeanField mean_field(const RandomNet& net);

// The law of sigma^2 at infinite width: of a deep net at the fixed point q* of its lengths, of a residual net along the
// lengths that start at q_0.
// Where f' depends on the lengths, about 12 groups stand for a residual net's layers. Where at most 12 sizes of gates
// differ, all layers of a group have the same gate, and each gate has groups in proportion to its layers, at least one;
// else a group has layers of similar gates and takes their root mean square. Its q is their mean, weighted by gate^2.
// The error is of second order in the spread within a group: for tanh and 64 layers with gate 0.1 7e-6 of the variance
// and 3e-6 of mean and s_max, with gates scattered from 0 to 0.2 2e-3 and 1e-3.
// Throws: value (lengths grow without end and f' depends on them; a form without a law)
Law law_of(const RandomNet& net);

// The gate a, equal in all layers, with a^2 sigma_w^2 sum_l E f'^2 = t.   t >= 0
double gate_of(RandomNet net, double t);

// What mean field says of hidden state x_l of the net: l = 0 ... depth.
struct SignalTheory {
  double q = 0;    // |x_l|^2 / width
  double c = 0;    // cosine of x_l with that at another input of the same length
  double chi = 1;  // factor of the gradient's second moment in layer l; 1 for l = 0
};
// From x_0 with |x_0|^2 / width = q_0, and cosine c_0 of two inputs.
std::vector<SignalTheory> signal_theory(const RandomNet& net, double q_0, double c_0);

// What is known exactly at `width` units, of a net with equal gates.
// Throws: value (of other nets than linear ones and deep relu, Gaussian and without bias)
FiniteWidth finite_width_of(const RandomNet& net, std::int64_t width);

}  // namespace rz::isometry
