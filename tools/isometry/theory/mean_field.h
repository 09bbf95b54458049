// Mean-field theory of signals in wide random networks (Poole et al. 2016; Schoenholz et al. 2017):
//     h^l = W^l phi(h^(l-1)) + b^l,   W_ij ~ N(0, sigma_w^2 / fan_in),   b_i ~ N(0, sigma_b^2).
// h^l is Gaussian with variance q^l and, for two inputs of one length, correlation c^l:
//     q^l = V(q^(l-1)),    V(q) = sigma_w^2 E phi(u)^2 + sigma_b^2,                    u, v ~ N(0, q), correlation c
//     c^l = C(c^(l-1)),    C(c) = (sigma_w^2 E phi(u) phi(v) + sigma_b^2) / q*         at the fixed point q* = V(q*)
// V and V' follow from moments(), C and C'(c) = sigma_w^2 E phi'(u) phi'(v) from TwoPoint.
// sigma_w and sigma_b are standard deviations everywhere, between 0 and 10^4 (Throws: value).
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "tools/isometry/theory/moments.h"

namespace rz::isometry {

// chi_1 = sigma_w^2 E phi'^2, the factor of the gradient's second moment per layer, is below, at, or above 1.
enum class Phase : std::uint8_t { ordered, critical, chaotic };
std::string_view name(Phase phase);

// How far chi_1, V' and C' may be from 1 and still count as 1.
constexpr double critical_tolerance = 1e-9;
// A q* above this counts as infinite, where phi is not bounded.
constexpr double largest_q_star = 1e6;

// What does not exist is NaN, what is not bounded infinite.
struct MeanField {
  // The fixed point of V that is reached from q = 1. Infinite when q grows without end (see largest_q_star). NaN when
  // every q is fixed: identity, relu and leaky_relu with chi_1 = 1 and no bias.
  double q_star = 0;
  double chi_1 = 0;    // sigma_w^2 mu_1 = C'(1); at q* infinite or NaN the limit q -> infinity
  double v_prime = 0;  // V'(q*)
  double xi_q = 0;     // depth scale -1 / ln V'(q*); infinite at V' = 1, NaN above
  // The stable fixed point of C in [0, 1]: 1 unless chaotic. At q* = 0 the limit sigma_b -> 0. Where q* is infinite or
  // NaN, of the angle between two inputs: 1, reached slower than exponentially, or NaN for the identity.
  double c_star = 0;
  double xi_c = 0;  // depth scale -1 / ln C'(c*), infinite at C' = 1
  Phase phase = Phase::ordered;
  double mu_1 = 0, mu_2 = 0;  // E phi'^2 and E phi'^4 at q*
};
MeanField mean_field(Scalar phi, double sigma_w, double sigma_b);
// With the moments of phi taken from elsewhere, as from a table of them: moments_at(q) for q > 0.
MeanField mean_field(Scalar phi, double sigma_w, double sigma_b, const std::function<Moments(double)>& moments_at);

// At a fixed point q of V that is known, as at a critical point, where it is found slowly and with half the digits.
MeanField mean_field_at(Scalar phi, double sigma_w, double sigma_b, double q);

// Throws: value (sigma_w or sigma_b not between 0 and 10^4)
void check_sigmas(double sigma_w, double sigma_b);

}  // namespace rz::isometry
