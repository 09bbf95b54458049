// The critical line chi_1 = 1 of an activation, along which gradients neither grow nor shrink in the mean.
//
// It is parametrised by the length q of its fixed points,
//     sigma_w^2 = 1 / E phi'^2,   sigma_b^2 = q - E phi^2 / E phi'^2,
// so that no fixed point need be found, which is slow just there. Only the part with sigma_b^2 >= 0 and V'(q) <= 1, a
// stable q, counts:
//     tanh, erf, erf_unit, hard_tanh, sin, selu   all q >= 0; from sigma_w^2 = 1 / E phi'(0)^2 and sigma_b = 0
//     sigmoid                                     from q = 45.6, sigma_w = 10.15 and sigma_b = 0
//     gelu, gelu_tanh, silu                       from their half-stable point on; below it chi_1 = 1 is unstable
//     identity, relu, leaky_relu                  the one point sigma_w^2 = 1 / E phi'^2, sigma_b = 0, with every q
// Along it sigma_b increases with q; so does sigma_w, but for gelu, gelu_tanh and silu, where it falls a little first.
#pragma once

#include <vector>

#include "tools/isometry/theory/moments.h"

namespace rz::isometry {

struct CriticalPoint {
  double q = 0, sigma_w = 0, sigma_b = 0;  // q is NaN where it is free
};

// Where the line begins. For functions whose line begins at q = 0 the limit of small arguments.
CriticalPoint critical_start(Scalar phi);

// Throws: value (phi has no such point: the message names phi and the range it has)
CriticalPoint critical_at(Scalar phi, double q);
CriticalPoint critical_for_sigma_b(Scalar phi, double sigma_b);
CriticalPoint critical_for_sigma_w(Scalar phi, double sigma_w);  // of two points, that with the smaller sigma_b

// Where chi_1 = 1 and V' = 1 at once: gelu, gelu_tanh, silu (Roberts, Yaida & Hanin 2022, chapter 5).
// Throws: value (phi has none)
CriticalPoint half_stable(Scalar phi);

// The line within [sigma_w_low, sigma_w_high] x [sigma_b_low, sigma_b_high], at `count` values of sigma_b or fewer.
struct Window {
  double sigma_w_low = 0, sigma_w_high = 0, sigma_b_low = 0, sigma_b_high = 0;
};
std::vector<CriticalPoint> critical_line(Scalar phi, const Window& window, int count);

}  // namespace rz::isometry
