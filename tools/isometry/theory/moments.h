// Moments of an activation phi at a Gaussian pre-activation x ~ N(0, q): all that mean-field theory asks of phi.
// q >= 0; at q = 0 the limits q -> 0.   Throws: value (q above 1e300, of sin, but in moments(), above 1e10)
#pragma once

#include "core/scalar_functions.h"
#include "tools/isometry/theory/gaussian_rule.h"

namespace rz::isometry {

GaussianRule gaussian_rule(Scalar phi, double q);  // split at the kinks of phi

// Whether phi(s x) = s phi(x) for s > 0, so that moments of phi' do not depend on q: identity, relu, leaky_relu.
bool is_homogeneous(Scalar phi);
bool is_bounded(Scalar phi);  // |phi| <= 1: tanh, erf, erf_unit, hard_tanh, sigmoid, sin

struct Moments {
  double second = 0;          // E phi^2
  double slope = 0;           // d/dq E phi^2 = E phi'^2 + E phi phi'', with the jumps of phi' in phi''
  double mu_1 = 0, mu_2 = 0;  // E phi'^2, E phi'^4
  double mean = 0;            // E phi
};
Moments moments(Scalar phi, double q);

// q E phi'^2 - E phi^2, not negative when E phi = 0 (Poincare's inequality); accurate where the two nearly cancel.
double poincare_gap(Scalar phi, double q);

double mu(Scalar phi, int k, double q);               // mu_k = E phi'^(2 k), k >= 1
double mean_log_slope_squared(Scalar phi, double q);  // E ln phi'^2; -infinity where phi' vanishes on an interval
// E ln phi'^2 - ln E phi'^2 <= 0, accurate where it is small: twice the mean of ln sigma per layer over the singular
// values sigma of the Jacobian of a critical network with orthogonal weights.
double log_slope_gap(Scalar phi, double q);

}  // namespace rz::isometry
