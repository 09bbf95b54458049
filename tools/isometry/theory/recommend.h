// The inverse questions to law.h: where to start so that the Jacobian's singular values keep within limits.
#pragma once

#include <cstdint>
#include <limits>

#include "core/error.h"
#include "tools/isometry/theory/critical.h"
#include "tools/isometry/theory/random_net.h"

namespace rz::isometry {

// Limits on the law at infinite width; the default is none.
struct Limits {
  double variance_over_mean2 = std::numeric_limits<double>::infinity();
  double s_min = 0, s_max = std::numeric_limits<double>::infinity();
};

// No network keeps the limits: the reason. Of code value.
class OutOfReach : public Error {
 public:
  explicit OutOfReach(std::string reason) : Error(ErrorCode::value, std::move(reason)) {}
};

// The point of the critical line of phi with the largest sigma_b whose law at that depth keeps the limits.
// Throws: OutOfReach; value (limits that are out of order or that all points keep)
CriticalPoint recommend_deep(Scalar phi, std::int64_t depth, Weights weights, const Limits& limits);

// The largest gate >= 0, equal in all net.depth layers, at which law_of(net) keeps the limits. net.gates is not used.
// Throws: OutOfReach (not even gate 0 does); value (limits that all gates keep; as law_of)
double recommend_gate(RandomNet net, const Limits& limits);

}  // namespace rz::isometry
