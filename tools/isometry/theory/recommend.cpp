#include "tools/isometry/theory/recommend.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "tools/isometry/theory/critical.h"
#include "tools/isometry/theory/mean_field.h"
#include "tools/isometry/theory/root.h"

namespace rz::isometry {
namespace {

void check(const Limits& limits, std::int64_t depth) {
  RZ_CHECK(value, depth >= 1, "recommend: {} layers, but it takes at least 1", depth);
  RZ_CHECK(value, limits.variance_over_mean2 >= 0, "recommend: the limit {} on the variance must be at least 0",
           limits.variance_over_mean2);
  RZ_CHECK(value, limits.s_min >= 0 && limits.s_min < limits.s_max,
           "recommend: singular values from {} to {}, but the first must be at least 0 and below the second",
           limits.s_min, limits.s_max);
}

bool keeps(const TheorySpectrum& s, const Limits& limits) {
  const double largest = s.outliers.empty() ? s.s_max : std::max(s.s_max, s.outliers.back());
  const double smallest = !s.atoms.empty() && s.atoms.front().lambda == 0 ? 0 : s.s_min;
  return s.variance_over_mean2 <= limits.variance_over_mean2 && smallest >= limits.s_min && largest <= limits.s_max;
}

}  // namespace

Recommendation recommend_deep(Scalar phi, std::int64_t depth, Weights weights, const Limits& limits) {
  check(limits, depth);
  RZ_CHECK(
      value, weights == Weights::orthogonal || limits.variance_over_mean2 >= static_cast<double>(depth),
      "recommend_deep: with Gaussian weights the variance over the mean squared is at least the depth, {}, above the "
      "limit {}; take orthogonal weights, or residual layers of small gates",
      depth, limits.variance_over_mean2);
  RZ_CHECK(value, weights == Weights::orthogonal || limits.s_min == 0,
           "recommend_deep: with Gaussian weights singular values reach 0; take orthogonal weights");
  const auto good = [&](const CriticalPoint& point) {
    const LayerLaw layer{phi, std::isnan(point.q) ? 1 : point.q, point.sigma_w, weights, depth};
    return keeps(deep_law({&layer, 1}).summary(), limits);
  };
  const CriticalPoint first = critical_for_sigma_b(phi, is_homogeneous(phi) ? 0 : 1e-9);
  RZ_CHECK(
      value, good(first),
      "recommend_deep: no point of the critical line of {} keeps the limits at depth {}: not even that of sigma_b = {}",
      info(phi.function).name, depth, first.sigma_b);
  if (is_homogeneous(phi)) return {first.sigma_w, first.sigma_b, NAN};
  double low = std::log(1e-9), high = low;
  constexpr double end = 4.6;  // sigma_b = 100
  while (high < end) {
    high += 0.5;
    if (!good(critical_for_sigma_b(phi, std::exp(high)))) break;
    low = high;
  }
  RZ_CHECK(value, high < end,
           "recommend_deep: all points of the critical line of {} up to sigma_b = 100 keep the limits",
           info(phi.function).name);
  const double log_sigma_b = bisect([&](double x) { return good(critical_for_sigma_b(phi, std::exp(x))); }, low, high);
  const CriticalPoint best = critical_for_sigma_b(phi, std::exp(log_sigma_b) * (1 - 1e-12));
  return {best.sigma_w, best.sigma_b, NAN};
}

Recommendation recommend_gate(const LayerLaw& branch, std::int64_t depth, nn::Branch order, const Limits& limits) {
  check(limits, depth);
  RZ_CHECK(value, limits.s_min <= 1 && limits.s_max >= 1,
           "recommend_gate: singular values from {} to {} leave out 1, that of gate 0", limits.s_min, limits.s_max);
  const auto good = [&](double gate) {
    ResidualLayerLaw layer{branch, gate};
    layer.branch.count = depth;
    return keeps(residual_law({&layer, 1}, order).summary(), limits);
  };
  double high = 1e-6;
  while (high < 1e3 && good(high)) high *= 2;
  RZ_CHECK(value, high < 1e3, "recommend_gate: all gates up to 1000 keep the limits");
  const double gate = bisect(good, high <= 1e-6 ? 0 : high / 2, high);
  return {branch.sigma_w, NAN, gate * (1 - 1e-12)};
}

}  // namespace rz::isometry
