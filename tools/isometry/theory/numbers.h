// What quantities are that have no finite value.
#pragma once

#include <limits>

namespace rz::isometry {

inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

}  // namespace rz::isometry
