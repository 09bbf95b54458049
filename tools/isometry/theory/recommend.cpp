#include "tools/isometry/theory/recommend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tools/isometry/theory/root.h"

namespace rz::isometry {
namespace {

void check(const Limits& limits, std::int64_t depth) {
  RZ_CHECK(value, depth >= 1, "{} layers, but a network has at least 1", depth);
  RZ_CHECK(value, limits.variance_over_mean2 >= 0, "a largest variance of {}, but it must be at least 0",
           limits.variance_over_mean2);
  RZ_CHECK(value, limits.s_min >= 0 && limits.s_min < limits.s_max,
           "singular values from {} to {}, but the first must be at least 0 and below the second", limits.s_min,
           limits.s_max);
}

double largest(const TheorySpectrum& s) { return s.outliers.empty() ? s.s_max : std::max(s.s_max, s.outliers.back()); }

double smallest(const TheorySpectrum& s) { return !s.atoms.empty() && s.atoms.front().lambda == 0 ? 0 : s.s_min; }

// At least 0 where all limits are kept; of the one that is nearest, in factors of e.
double margin(const TheorySpectrum& s, const Limits& limits) {
  const double lower =
      limits.s_min > 0 ? std::log(smallest(s) / limits.s_min) : std::numeric_limits<double>::infinity();
  return std::min({std::log(limits.variance_over_mean2) - std::log(s.variance_over_mean2), lower,
                   std::log(limits.s_max) - std::log(largest(s))});
}

bool keeps(const TheorySpectrum& s, const Limits& limits) {
  return s.variance_over_mean2 <= limits.variance_over_mean2 && smallest(s) >= limits.s_min &&
         largest(s) <= limits.s_max;
}

// Which limit this spectrum misses.
std::string shortfall(const TheorySpectrum& s, const Limits& limits) {
  if (smallest(s) == 0 && limits.s_min > 0)
    return "the smallest singular value is 0, as the slope is 0 for some arguments or comes arbitrarily near to it";
  if (smallest(s) < limits.s_min) return fmt::format("the smallest singular value is {:.6g}", smallest(s));
  if (largest(s) > limits.s_max) return fmt::format("the largest singular value is {:.6g}", largest(s));
  return fmt::format("the variance over the mean squared is {:.6g}", s.variance_over_mean2);
}

void check_gaussian(std::int64_t depth, const Limits& limits) {
  if (limits.variance_over_mean2 < static_cast<double>(depth))
    throw OutOfReach(
        fmt::format("with Gaussian weights the variance over the mean squared is at least the depth, {}", depth));
  if (limits.s_min > 0) throw OutOfReach("with Gaussian weights the smallest singular value is 0");
}

// Where the critical line begins; at small arguments rather than none, where every smooth function is straight.
CriticalPoint beginning(Scalar phi) {
  const CriticalPoint start = critical_start(phi);
  return start.q == 0 ? critical_for_sigma_b(phi, 1e-9) : start;
}

}  // namespace

CriticalPoint recommend_deep(Scalar phi, std::int64_t depth, Weights weights, const Limits& limits) {
  check(limits, depth);
  if (weights == Weights::gaussian) check_gaussian(depth, limits);
  const auto spectrum = [&](const CriticalPoint& point) {
    const LayerLaw layer{phi, std::isnan(point.q) ? 1 : point.q, point.sigma_w, weights, depth};
    return deep_law({&layer, 1}).summary();
  };
  const auto good = [&](double log_sigma_b) {
    return keeps(spectrum(critical_for_sigma_b(phi, std::exp(log_sigma_b))), limits);
  };
  const CriticalPoint first = beginning(phi);
  const TheorySpectrum at_first = spectrum(first);
  bool found = keeps(at_first, limits);
  if (is_homogeneous(phi) && found) return first;
  const double end = is_homogeneous(phi) ? 0 : std::log(std::min(100.0, critical_at(phi, 1e7).sigma_b));
  double low = std::log(std::max(first.sigma_b, 1e-9)), high = low;
  while (high < end && !is_homogeneous(phi)) {
    high = std::min(high + 0.5, end);
    const bool next = good(high);
    if (found && !next) break;
    found = next;
    low = high;
  }
  if (!found)
    throw OutOfReach(fmt::format("no point of the critical line of {} does at {} layers: where it begins {}",
                                 info(phi.function).name, depth, shortfall(at_first, limits)));
  RZ_CHECK(value, low < end,
           "sigma_b = {}, the largest looked at on the critical line of {}, keeps this; take it tighter", std::exp(end),
           info(phi.function).name);
  return critical_for_sigma_b(phi, std::exp(bisect(good, low, high)) * (1 - 1e-12));
}

double recommend_gate(RandomNet net, const Limits& limits) {
  check(limits, net.depth);
  if (limits.s_min > 1 || limits.s_max < 1)
    throw OutOfReach("the singular values of gate 0 are 1, those of other gates on both sides of it");
  const auto at = [&](double gate) {
    net.gates.assign(static_cast<std::size_t>(net.depth), gate);
    return law_of(net).summary();
  };
  double high = 1e-6;
  while (high < 1e3 && keeps(at(high), limits)) high *= 4;
  RZ_CHECK(value, high < 1e3, "all gates up to 1000 keep this; take it tighter");
  const double gate = high <= 1e-6 ? bisect([&](double x) { return keeps(at(x), limits); }, 0, high)
                                   : find_root([&](double x) { return margin(at(x), limits); }, high / 4, high);
  return gate * (1 - 1e-12);
}

}  // namespace rz::isometry
