#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace rz::optim {

namespace {

// From `start` to `end` along half a cosine as `fraction` goes from 0 to 1.
double anneal(double start, double end, double fraction) {
  return end + (start - end) / 2 * (std::cos(std::numbers::pi * fraction) + 1);
}

// With t - 1 steps done, as PyTorch counts: the rise ends at warmup_fraction total - 1, the fall at total - 1. A rise
// that ends before the first step (a short run) leaves that step on the way down.
double one_cycle(const ScheduleOptions& options, double peak, std::int64_t total, std::int64_t step) {
  const double start = peak / *options.start_divisor, end = start / *options.final_divisor;
  const double done = static_cast<double>(step - 1), last = static_cast<double>(total - 1);
  const double rise = *options.warmup_fraction * static_cast<double>(total) - 1;
  if (done <= rise) return rise > 0 ? anneal(start, peak, done / rise) : peak;
  return anneal(peak, end, (done - rise) / (last - rise));
}

// The fall over steps first + 1 ... total; the end would be reached in the step after the last.
double cosine(double peak, double final_fraction, std::int64_t first, std::int64_t total, std::int64_t step) {
  return anneal(peak, final_fraction * peak,
                static_cast<double>(step - 1 - first) / static_cast<double>(total - first));
}

double linear_warmup(const ScheduleOptions& options, double peak, std::int64_t total, std::int64_t step) {
  const std::int64_t warmup = *options.warmup_steps;
  const double t = static_cast<double>(step), rise = static_cast<double>(warmup);
  if (step <= warmup) return peak * (t / rise);
  if (*options.after == "cosine") return cosine(peak, *options.final_fraction, warmup, total, step);
  return *options.after == "inverse_sqrt" ? peak * std::sqrt(rise / t) : peak;
}

}  // namespace

Schedule::Schedule(const ScheduleOptions& options, double learning_rate, std::int64_t total_steps)
    : options_(resolved(options)), learning_rate_(learning_rate), total_steps_(total_steps) {
  RZ_CHECK(value, total_steps >= 1, "schedule: {} steps were given, but there must be at least 1", total_steps);
  RZ_CHECK(value, std::isfinite(learning_rate) && learning_rate >= 0,
           "schedule: the learning rate is {}, but must be a number of at least 0", learning_rate);
}

double Schedule::rate(std::int64_t step) const {
  const std::int64_t t = std::clamp<std::int64_t>(step, 1, total_steps_), done = t - 1;
  const ScheduleOptions& o = options_;
  const auto fallen = [&](std::int64_t times) {
    return learning_rate_ * std::pow(*o.gamma, static_cast<double>(times));
  };
  if (o.name == "one_cycle") return one_cycle(o, learning_rate_, total_steps_, t);
  if (o.name == "step") return fallen(done / *o.step_size);
  if (o.name == "multi_step") return fallen(std::ranges::upper_bound(*o.milestones, done) - o.milestones->begin());
  if (o.name == "exponential") return fallen(done);
  if (o.name == "cosine") return cosine(learning_rate_, *o.final_fraction, 0, total_steps_, t);
  if (o.name == "linear_warmup") return linear_warmup(o, learning_rate_, total_steps_, t);
  return learning_rate_;
}

}  // namespace rz::optim
