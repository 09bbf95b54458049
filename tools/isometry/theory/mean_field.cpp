#include "tools/isometry/theory/mean_field.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "tools/isometry/theory/numbers.h"
#include "tools/isometry/theory/root.h"
#include "tools/isometry/theory/two_point.h"

namespace rz::isometry {
namespace {

bool is_one(double factor) { return std::abs(factor - 1) <= critical_tolerance; }

double depth_scale(double factor) {  // of factor^l
  if (is_one(factor)) return infinity;
  if (factor > 1) return undefined;
  return factor > 0 ? -1 / std::log(factor) : 0;
}

Phase phase_of(double chi_1) {
  if (is_one(chi_1)) return Phase::critical;
  return chi_1 < 1 ? Phase::ordered : Phase::chaotic;
}

// Slopes of phi far from 0; all activations are straight there, but for sin, whose q is bounded.
struct FarSlopes {
  double left, right;
};
FarSlopes far_slopes(Scalar phi) { return {evaluate(phi, 1, -1e8), evaluate(phi, 1, 1e8)}; }

double far_mu(Scalar phi, int k) {
  const FarSlopes far = far_slopes(phi);
  return 0.5 * (std::pow(far.left, 2 * k) + std::pow(far.right, 2 * k));
}

// V increases, so q -> V(q) moves from q = 1 towards the nearest fixed point on its side and never past it. The steps
// here are those, but at least a tenth of q, and then a root between the last two. Where V(0) = 0, V(q) = q to the last
// digits is no fixed point yet: hard_tanh at sigma_w = 1 has that for all q < 0.01, and yet q* = 0.
template <class V>
double fixed_point(V&& v, double v_at_zero, double limit) {
  const auto surplus = [&](double q) { return v(q) - q; };
  const double first = v(1.0), margin = v_at_zero == 0 ? 1e-13 : 0;
  if (first == 1) return 1;
  const bool up = first > 1;
  double q = 1, next = up ? std::max(first, 1.1) : std::min(first, 1 / 1.1);
  for (;;) {
    if (up ? next > limit : (v_at_zero == 0 && next < 1e-12)) return up ? infinity : 0;
    const double image = v(next);
    if (up ? image <= next : image >= next * (1 + margin)) return find_root(surplus, q, next);
    if (up || image < next) q = next;
    next = up ? std::max(image, 1.1 * next) : std::min(image, next / 1.1);
  }
}

double homogeneous_q_star(double growth, double sigma_b) {  // V(q) = growth q + sigma_b^2
  if (is_one(growth)) return sigma_b == 0 ? undefined : infinity;
  return growth < 1 ? sigma_b * sigma_b / (1 - growth) : infinity;
}

// C is convex on [0, 1] with C(0) >= 0 and C(1) = 1: where C'(1) > 1, Newton's steps from 0 increase towards c* < 1.
void chaotic_correlation(Scalar phi, double sigma_w, double sigma_b, MeanField& result) {
  TwoPoint pair(phi, result.q_star);
  const double scale = sigma_w * sigma_w, bias = sigma_b * sigma_b;
  double c = 0, slope = 0;
  for (int iteration = 0; iteration < 100; ++iteration) {
    const PairMoments at = pair.at(c);
    const double surplus = (scale * at.value + bias) / result.q_star - c;
    slope = scale * at.slope;
    const double step = surplus / (1 - slope);
    if (!(step > 1e-15 * c) || !(slope < 1) || c + step >= 1) break;
    c += step;
  }
  result.c_star = c;
  result.xi_c = depth_scale(slope);
}

}  // namespace

std::string_view name(Phase phase) {
  constexpr std::string_view names[] = {"ordered", "critical", "chaotic"};
  return names[static_cast<int>(phase)];
}

void check_sigmas(double sigma_w, double sigma_b) {
  RZ_CHECK(value, sigma_w >= 0 && sigma_w <= 1e4, "sigma_w = {} must lie between 0 and 10000", sigma_w);
  RZ_CHECK(value, sigma_b >= 0 && sigma_b <= 1e4, "sigma_b = {} must lie between 0 and 10000", sigma_b);
}

namespace {

// Everything at the fixed point q_star, with the moments there.
MeanField described(Scalar phi, double sigma_w, double sigma_b, double q_star, const Moments& m) {
  const double scale = sigma_w * sigma_w;
  MeanField result{.q_star = q_star};
  result.mu_1 = m.mu_1;
  result.mu_2 = m.mu_2;
  result.chi_1 = scale * m.mu_1;
  result.v_prime = scale * m.slope;
  result.xi_q = depth_scale(result.v_prime);
  result.phase = phase_of(result.chi_1);
  result.c_star = 1;
  if (!std::isfinite(q_star)) {
    const FarSlopes far = far_slopes(phi);
    const bool straight = far.left == far.right;  // then angles do not change
    result.c_star = straight ? undefined : 1;
    result.xi_c = straight ? undefined : infinity;
  } else if (result.phase == Phase::chaotic) {
    chaotic_correlation(phi, sigma_w, sigma_b, result);
  } else {
    result.xi_c = depth_scale(result.chi_1);
  }
  return result;
}

}  // namespace

MeanField mean_field(Scalar phi, double sigma_w, double sigma_b, const std::function<Moments(double)>& moments_at) {
  check_sigmas(sigma_w, sigma_b);
  const double scale = sigma_w * sigma_w, bias = sigma_b * sigma_b;
  const auto v = [&](double q) { return scale * moments_at(q).second + bias; };
  const double at_zero = evaluate(phi, 0, 0);
  const double q_star = is_homogeneous(phi) ? homogeneous_q_star(scale * far_mu(phi, 1), sigma_b)
                                            : fixed_point(v, scale * at_zero * at_zero + bias,
                                                          is_bounded(phi) ? infinity : largest_q_star);
  Moments m{0, far_mu(phi, 1), far_mu(phi, 1), far_mu(phi, 2), 0};
  if (std::isfinite(q_star) && !is_homogeneous(phi)) m = q_star > 0 ? moments_at(q_star) : moments(phi, 0);
  return described(phi, sigma_w, sigma_b, q_star, m);
}

MeanField mean_field_at(Scalar phi, double sigma_w, double sigma_b, double q) {
  check_sigmas(sigma_w, sigma_b);
  return described(phi, sigma_w, sigma_b, q, moments(phi, q));
}

MeanField mean_field(Scalar phi, double sigma_w, double sigma_b) {
  return mean_field(phi, sigma_w, sigma_b, [phi](double q) { return moments(phi, q); });
}

}  // namespace rz::isometry
