#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/nearest.h"

namespace rz::optim {

namespace {

constexpr std::string_view names[] = {"constant", "one_cycle"};

// From `start` to `end` along half a cosine as `fraction` goes from 0 to 1.
double anneal(double start, double end, double fraction) {
  return end + (start - end) / 2 * (std::cos(std::numbers::pi * fraction) + 1);
}

// With t - 1 steps done, as PyTorch counts: the rise ends at warmup_fraction total - 1, the fall at total - 1. A rise
// that ends before the first step (a short run) leaves that step on the way down.
double one_cycle(const ScheduleOptions& options, double peak, std::int64_t total, std::int64_t step) {
  const double start = peak / options.start_divisor, end = start / options.final_divisor;
  const double done = static_cast<double>(step - 1), last = static_cast<double>(total - 1);
  const double rise = options.warmup_fraction * static_cast<double>(total) - 1;
  if (done <= rise) return rise > 0 ? anneal(start, peak, done / rise) : peak;
  return anneal(peak, end, (done - rise) / (last - rise));
}

}  // namespace

std::span<const std::string_view> schedule_names() { return names; }

Schedule::Schedule(const ScheduleOptions& options, double learning_rate, std::int64_t total_steps)
    : options_(options), learning_rate_(learning_rate), total_steps_(total_steps) {
  if (std::find(std::begin(names), std::end(names), options.name) == std::end(names)) {
    const std::string close = nearest(options.name, names);
    RZ_FAIL(value, "schedule: '{}' is not known{}; there are constant, one_cycle", options.name,
            close.empty() ? "" : " (did you mean '" + close + "'?)");
  }
  RZ_CHECK(value, total_steps >= 1, "schedule: {} steps were given, but there must be at least 1", total_steps);
  RZ_CHECK(value, std::isfinite(learning_rate) && learning_rate >= 0,
           "schedule: the learning rate is {}, but must be a number of at least 0", learning_rate);
  RZ_CHECK(value, options.warmup_fraction >= 0 && options.warmup_fraction <= 1,
           "schedule: warmup_fraction is {}, but must lie in [0, 1]", options.warmup_fraction);
  RZ_CHECK(value, options.start_divisor > 0, "schedule: start_divisor is {}, but must be positive",
           options.start_divisor);
  RZ_CHECK(value, options.final_divisor > 0, "schedule: final_divisor is {}, but must be positive",
           options.final_divisor);
}

double Schedule::rate(std::int64_t step) const {
  if (options_.name == "constant") return learning_rate_;
  return one_cycle(options_, learning_rate_, total_steps_, std::clamp<std::int64_t>(step, 1, total_steps_));
}

}  // namespace rz::optim
