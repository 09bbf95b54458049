// A mean over independent draws with its standard error.
#pragma once

#include <vector>

namespace rz::isometry {

struct Estimate {
  double value = 0;
  double standard_error = 0;  // from the scatter of the draws; NaN for a single one
};
Estimate mean_of(const std::vector<double>& values);

}  // namespace rz::isometry
