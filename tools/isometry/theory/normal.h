// The standard normal distribution.
#pragma once

#include <cmath>
#include <numbers>

namespace rz::isometry {

inline double normal_density(double z) {
  return std::exp(-0.5 * z * z) * (0.5 * std::numbers::inv_sqrtpi * std::numbers::sqrt2);
}
inline double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

// Mills' ratio (1 - cdf(z)) / density(z), z >= 0, also where both underflow.
inline double mills_ratio(double z) {
  if (z < 30) return normal_cdf(-z) / normal_density(z);
  const double s = 1 / (z * z);
  return (1 - s * (1 - 3 * s * (1 - 5 * s * (1 - 7 * s)))) / z;  // the next term is below 2e-12
}

}  // namespace rz::isometry
