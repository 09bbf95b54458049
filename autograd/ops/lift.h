// Tangents beside broadcasting: the direction axis of a tangent must stay in front when its primal is broadcast to a
// larger shape.
#pragma once

#include "autograd/ops.h"

namespace rz {

// t [k, primal's shape] -> [k, 1, ..., 1, primal's shape], so that it broadcasts against the result's shape behind k.
Variable align_tangent(const Variable& t, const Shape& result);
// The same, broadcast: [k, result].
Variable lift_tangent(const Variable& t, const Shape& result);

}  // namespace rz
