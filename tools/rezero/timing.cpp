#include "tools/rezero/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.h"

namespace rz::tool {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Times::add(double seconds) { sorted_.insert(std::ranges::upper_bound(sorted_, seconds), seconds); }

double Times::quantile_ms(double q) const {
  RZ_ASSERT(!sorted_.empty());
  const double at = std::round(q * static_cast<double>(sorted_.size() - 1));
  return 1e3 * sorted_[static_cast<std::size_t>(at)];
}

}  // namespace rz::tool
