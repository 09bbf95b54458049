#include "tools/rezero/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.h"

namespace rz::tool {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double Times::quantile_ms(double q) const {
  RZ_ASSERT(!seconds_.empty());
  std::vector<double> sorted = seconds_;
  const auto at = sorted.begin() + std::lround(q * static_cast<double>(sorted.size() - 1));
  std::ranges::nth_element(sorted, at);
  return 1e3 * *at;
}

}  // namespace rz::tool
