// Two-point moments of an activation: u, v ~ N(0, q) with correlation c. The correlation map consists of them.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "tools/isometry/theory/moments.h"

namespace rz::isometry {

struct PairMoments {
  double value = 0;  // E phi(u) phi(v)
  double slope = 0;  // E phi'(u) phi'(v) = (d value / dc) / q
};

// By the Hermite series: E phi(u) phi(v) = sum_k a_k^2 c^k, a_k the coefficients of phi(sqrt(q) z) in the normalised
// Hermite polynomials. For smooth phi; terms are added as a correlation needs them, at most 16384. What is left of
// E phi^2 and E phi'^2 then stands as one term, so value and slope are exact at c = 1. Not for use by several threads.
class HermiteSeries {
 public:
  HermiteSeries(Scalar phi, double q);
  PairMoments at(double c);

 private:
  void extend(std::size_t terms);

  double q_;
  std::vector<double> z_, even_, odd_;      // nodes z >= 0; weight (phi(x) +- phi(-x))
  std::vector<double> previous_, current_;  // Hermite polynomials of degree k - 1 and k at the nodes
  std::vector<double> squares_;             // a_k^2
  double total_slope_ = 0;                  // q E phi'^2 = sum_k k a_k^2
  double rest_ = 0, rest_slope_ = 0;        // of the two sums, what the terms up to now leave
};

// By the best method for phi: closed forms (identity, relu, leaky_relu, erf, erf_unit, sin), E phi(v) given u in closed
// form and an integral over u (hard_tanh, selu: the series converges slowly near c = 1), or the series. For q above
// 10^4 (selu: 10^6) an unbounded phi counts as two straight lines but at c = 1, with a relative error of 1 / q (1 /
// sqrt q).
class TwoPoint {
 public:
  TwoPoint(Scalar phi, double q);  // Throws: value (q not positive; see gaussian_rule)
  PairMoments at(double c);        // -1 <= c <= 1

 private:
  Scalar phi_;
  double q_;
  std::optional<HermiteSeries> series_;  // made when it is needed
};

}  // namespace rz::isometry
