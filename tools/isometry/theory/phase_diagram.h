// Mean-field theory over the plane of sigma_w and sigma_b.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/isometry/theory/critical.h"

namespace rz::isometry {

struct PhaseDiagram {
  std::vector<double> sigma_w, sigma_b;  // [W], [H]: the axes, evenly spaced, both ends included
  // [H, W], row-major: a row has one sigma_b. As in MeanField, NaN where undefined.
  std::vector<double> q_star, chi_1, c_star, xi_q, xi_c;
  std::vector<CriticalPoint> critical_line;  // within the window, ascending in sigma_b
};
// W = width, H = height. q_star and chi_1 are right to 1e-8, c_star to 1e-6, but for c_star and the depth scales in the
// last 1e-6 around the critical line.   Throws: value (fewer than 2 rows or columns, or more than 10^7 points; an
// empty window; sigmas not between 0 and 10^4)
PhaseDiagram phase_diagram(Scalar phi, const Window& window, std::int64_t width, std::int64_t height);

}  // namespace rz::isometry
