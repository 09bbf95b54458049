// Expectations over a Gaussian pre-activation x ~ N(0, q), as sums: mean-field theory consists of them.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace rz::isometry {

// E g(x) ~ sum_i weight[i] g(x[i]),  x = sqrt(q) z,  z ~ N(0, 1), to about 1e-15 for g that are made of an activation
// and its derivatives: analytic between the kinks, and beside the real line as far as tanh is (|Im x| < pi / 2).
// Without kinks inside +-13 sqrt(q) it is the trapezoidal rule in z, whose error falls like exp(-2 pi d / h), d the
// width of the strip in z; else Gauss-Legendre panels that end at the kinks. About 200 nodes for q <= 1, and
// 200 sqrt(q) above.
struct GaussianRule {
  std::vector<double> x, weight;
};
// kinks: ascending. q = 0 gives the limit q -> 0: two nodes, just left and just right of 0.
// Throws: value (q negative, not finite, or above 1e10, where the nodes would be too many)
GaussianRule gaussian_rule(std::span<const double> kinks, double q);

// For g that beyond |x| = 48 are as smooth as a power of x (all activations but sin, to 1e-20): panels that widen with
// |x| there, so that the number of nodes hardly grows with q. Throws: value (q not between 100 and 1e300)
GaussianRule graded_rule(std::span<const double> kinks, double q);

// One Gauss-Legendre panel of 16 nodes between each two neighbours of `ends`, ascending places of z.
GaussianRule panel_rule(std::span<const double> ends, double q);

// E g(x), x ~ N(0, q).
template <class G>
double expectation(const GaussianRule& rule, G&& g) {
  double sum = 0;
  for (std::size_t i = 0; i < rule.x.size(); ++i) sum += rule.weight[i] * g(rule.x[i]);
  return sum;
}

}  // namespace rz::isometry
