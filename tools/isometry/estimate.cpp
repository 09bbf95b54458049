#include "tools/isometry/estimate.h"

#include <cmath>
#include <limits>
#include <numeric>

namespace rz::isometry {

Estimate mean_of(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double x : values) squares += (x - mean) * (x - mean);
  return {mean, std::sqrt(squares / (n - 1) / n)};
}

}  // namespace rz::isometry
