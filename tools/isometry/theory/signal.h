// Signals and gradients layer by layer in wide random networks: deep ones and residual streams.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "nn/models/fully_connected.h"
#include "tools/isometry/theory/moments.h"

namespace rz::isometry {

// Of two inputs of one length. Vectors over l = 0 ... L; chi over l = 0 ... L - 1. From where q exceeds 10^300 it is
// infinite, and c and chi keep their values.
struct Signal {
  std::vector<double> q;    // mean square over the units
  std::vector<double> c;    // correlation; it keeps its value where q has become 0
  std::vector<double> chi;  // factor of the gradient's second moment from layer l + 1 to layer l
};
struct SignalStart {
  double q = 1, c = 0;
  double mean = 0;  // over the units, of both inputs; mean^2 <= q. For activation_last alone.
};

// h^(l+1) = W phi(h^l) + b: q^(l+1) = sigma_w^2 E phi(u)^2 + sigma_b^2, c^(l+1) the same of two inputs, chi the
// factor sigma_w^2 E phi'(u)^2. start.q is the variance of h^0.
// Throws: value (sigmas, see mean_field.h; q negative, c not in [-1, 1], layers negative)
Signal deep_signal(Scalar phi, double sigma_w, double sigma_b, const SignalStart& start, std::int64_t layers);

// x^(l+1) = x^l + a_l F(x^l), a layer per gate a_l, with new W and b in each (Yang & Schoenholz 2017).
//   activation_first   q' = q + a^2 (sigma_w^2 E phi(u)^2 + sigma_b^2), u ~ N(0, q): the units of x^l are taken as
//                      Gaussian with mean 0, which holds for a Gaussian x^0
//   activation_last      with u ~ N(0, sigma_w^2 q + sigma_b^2) and the mean m over the units of x, m' = m + a E
//   phi(u):
//                      q' = q + 2 a m E phi(u) + a^2 E phi(u)^2. x^0 enters by q and m alone.
// and in the same way for the covariance. chi = 1 + a^2 sigma_w^2 E phi'(u)^2 is a mean over all directions: that of
// tr(J J^T) / N per layer. Neglected in it is what D W has of a mean, sigma_w^2 E phi''(u) 1 x^T / N in
// activation_last: it changes the gradient along the two directions 1 and x, by a factor of order 1 each, but the trace
// by O(1 / N). Throws: value (as deep_signal; |mean| > sqrt(q); a mean with activation_first)
Signal residual_signal(Scalar phi, double sigma_w, double sigma_b, nn::Branch branch, std::span<const double> gates,
                       const SignalStart& start);

// Of the same stream the variance of phi's argument in every layer: without correlations, which are slow. Where it
// would exceed 10^300 it stays there: phi is straight. moments_at(q): those of phi.
std::vector<double> residual_arguments(Scalar phi, double sigma_w, double sigma_b, nn::Branch branch,
                                       std::span<const double> gates, const SignalStart& start,
                                       const std::function<Moments(double)>& moments_at);

}  // namespace rz::isometry
