// The moments of one activation for many q: interpolated, as fast as a few additions.
#pragma once

#include <vector>

#include "tools/isometry/theory/moments.h"

namespace rz::isometry {

// Values at 32 nodes per e-fold of q between 1e-9 and q_high, computed once by all threads; between them the polynomial
// through the next 8 in ln q: to 1e-9 of the true moment. Outside of them the quadrature. Several threads may read it.
class MomentTable {
 public:
  MomentTable(Scalar phi, double q_high);  // Throws: value (q_high above 1e9)
  Moments operator()(double q) const;      // as moments(phi, q)

 private:
  Scalar phi_;
  std::vector<Moments> nodes_;
};

}  // namespace rz::isometry
