// The inverse questions to law.h: where to start so that the Jacobian's singular values keep within limits.
#pragma once

#include <cstdint>
#include <limits>

#include "tools/isometry/theory/law.h"

namespace rz::isometry {

// Limits on the law at infinite width; the default is none.
struct Limits {
  double variance_over_mean2 = std::numeric_limits<double>::infinity();
  double s_min = 0, s_max = std::numeric_limits<double>::infinity();
};

struct Recommendation {
  double sigma_w = 0, sigma_b = 0;
  double gate = 0;  // of residual layers; NaN for deep ones
};

// The point of the critical line of phi with the largest sigma_b whose law at that depth keeps the limits. sigma_b = 0
// is the limit of small arguments for functions whose line begins there. Throws: value (no point of the line does: the
// reason; limits that are out of order or that all points keep)
Recommendation recommend_deep(Scalar phi, std::int64_t depth, Weights weights, const Limits& limits);

// The largest gate >= 0 at which `depth` layers of that branch (its count is not used) keep the limits.
// Throws: value (not even gate 0 does; limits that all gates keep; as residual_law)
Recommendation recommend_gate(const LayerLaw& branch, std::int64_t depth, nn::Branch order, const Limits& limits);

}  // namespace rz::isometry
