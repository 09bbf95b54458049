#include "tools/isometry/theory/critical.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/parallel.h"
#include "tools/isometry/theory/mean_field.h"
#include "tools/isometry/theory/numbers.h"
#include "tools/isometry/theory/root.h"

namespace rz::isometry {
namespace {

constexpr double largest_q = 1e8;

struct LinePoint {
  double q, scale, bias, v_prime;  // scale, bias: sigma_w^2, sigma_b^2
  CriticalPoint point() const { return {q, std::sqrt(scale), std::sqrt(std::max(bias, 0.0))}; }
};

LinePoint line_at(Scalar phi, double q) {
  const Moments m = moments(phi, q);
  return {q, 1 / m.mu_1, poincare_gap(phi, q) / m.mu_1, m.slope / m.mu_1};
}

// Where the part of the line begins that counts.
LinePoint line_start(Scalar phi) {
  const auto margin = [&](double q) {  // at least 0 there
    const LinePoint p = line_at(phi, q);
    return std::min(p.bias / q, 1 - p.v_prime);
  };
  const double smallest = 1e-4;
  double q = smallest;
  while (margin(q) < -1e-14) {
    RZ_CHECK(value, q < largest_q, "{} has no stable fixed point with chi_1 = 1", info(phi.function).name);
    q *= 1.3;
  }
  return line_at(phi, q == smallest ? 0 : find_root(margin, q / 1.3, q));
}

std::string begin_text(const LinePoint& start) {
  const CriticalPoint p = start.point();
  return fmt::format("q = {:.6g}, sigma_w = {:.6g}, sigma_b = {:.6g}", p.q, p.sigma_w, p.sigma_b);
}

std::optional<CriticalPoint> at_sigma_b(Scalar phi, const LinePoint& start, double sigma_b) {
  const double bias = sigma_b * sigma_b;
  if (std::abs(bias - start.bias) <= 1e-12 * start.q || (start.q == 0 && bias == 0))
    return CriticalPoint{start.q, start.point().sigma_w, sigma_b};
  if (bias < start.bias) return std::nullopt;
  const double low = std::max(start.q, bias);  // sigma_b^2 <= q
  double high = 2 * low;
  while (line_at(phi, high).bias < bias) {
    high *= 2;
    if (high > largest_q) return std::nullopt;
  }
  CriticalPoint point =
      line_at(phi, find_root([&](double q) { return line_at(phi, q).bias - bias; }, low, high)).point();
  point.sigma_b = sigma_b;
  return point;
}

CriticalPoint homogeneous_point(Scalar phi) { return {undefined, 1 / std::sqrt(mu(phi, 1, 0)), 0}; }

}  // namespace

CriticalPoint critical_start(Scalar phi) {
  return is_homogeneous(phi) ? homogeneous_point(phi) : line_start(phi).point();
}

CriticalPoint critical_at(Scalar phi, double q) {
  RZ_CHECK(value, q >= 0 && q <= largest_q, "a critical point: q = {} must lie between 0 and 10^8", q);
  if (is_homogeneous(phi)) return {q, homogeneous_point(phi).sigma_w, 0};
  const LinePoint start = line_start(phi);
  RZ_CHECK(value, q >= start.q * (1 - 1e-12),
           "{} has no stable fixed point q = {} with chi_1 = 1; its critical line begins at {}",
           info(phi.function).name, q, begin_text(start));
  return line_at(phi, q).point();
}

CriticalPoint critical_for_sigma_b(Scalar phi, double sigma_b) {
  check_sigmas(0, sigma_b);
  const std::string_view activation = info(phi.function).name;
  if (is_homogeneous(phi)) {
    const CriticalPoint only = homogeneous_point(phi);
    RZ_CHECK(value, sigma_b == 0, "{} has chi_1 = 1 at a fixed point with sigma_b = 0 alone (sigma_w = {})", activation,
             only.sigma_w);
    return only;
  }
  const LinePoint start = line_start(phi);
  const std::optional<CriticalPoint> point = at_sigma_b(phi, start, sigma_b);
  RZ_CHECK(value, point.has_value(),
           "for {}, sigma_b = {} is off the critical line, which begins at {} and is "
           "followed up to q = 10^8",
           activation, sigma_b, begin_text(start));
  return *point;
}

CriticalPoint critical_for_sigma_w(Scalar phi, double sigma_w) {
  check_sigmas(sigma_w, 0);
  const std::string_view activation = info(phi.function).name;
  const double scale = sigma_w * sigma_w;
  if (is_homogeneous(phi)) {
    const CriticalPoint only = homogeneous_point(phi);
    RZ_CHECK(value, std::abs(scale * mu(phi, 1, 0) - 1) <= critical_tolerance,
             "{} has chi_1 = 1 at sigma_w = {} alone, not at {}", activation, only.sigma_w, sigma_w);
    return only;
  }
  const LinePoint start = line_start(phi);
  const double at_start = start.scale - scale;
  if (std::abs(at_start) <= 1e-12 * scale) return start.point();
  const auto excess = [&](double q) { return line_at(phi, q).scale - scale; };
  double lowest = start.scale, highest = start.scale;
  for (double q = std::max(1.2 * start.q, 1e-12); q < 1e6; q *= 1.2) {
    const double reached = excess(q) + scale;
    lowest = std::min(lowest, reached);
    highest = std::max(highest, reached);
    // Past it by more than rounding: sin has sigma_w^2 < 2, but not in doubles.
    if ((reached > scale) != (at_start > 0) && std::abs(reached - scale) > 1e-12 * scale) {
      CriticalPoint point = line_at(phi, find_root(excess, std::max(q / 1.2, start.q), q)).point();
      point.sigma_w = sigma_w;
      return point;
    }
  }
  RZ_FAIL(value, "for {}, sigma_w = {} is off the critical line, which has sigma_w from {} to {} (q up to 10^6)",
          activation, sigma_w, fmt::format("{:.6g}", std::sqrt(lowest)), fmt::format("{:.6g}", std::sqrt(highest)));
}

CriticalPoint half_stable(Scalar phi) {
  const std::string_view activation = info(phi.function).name;
  RZ_CHECK(value, !is_homogeneous(phi), "{} has no single half-stable point: chi_1 = V' = 1 holds at every q",
           activation);
  const LinePoint start = line_start(phi);
  RZ_CHECK(value, start.q > 0 && std::abs(start.v_prime - 1) <= critical_tolerance,
           "{} has no half-stable point; its line chi_1 = 1 is stable from its beginning ({})", activation,
           begin_text(start));
  return start.point();
}

std::vector<CriticalPoint> critical_line(Scalar phi, const Window& window, int count) {
  RZ_CHECK(value, count >= 2, "critical line: needs at least 2 points, not {}", count);
  std::vector<CriticalPoint> line;
  const auto add = [&](const CriticalPoint& p) {
    if (p.sigma_w >= window.sigma_w_low && p.sigma_w <= window.sigma_w_high && p.sigma_b >= window.sigma_b_low &&
        p.sigma_b <= window.sigma_b_high)
      line.push_back(p);
  };
  if (is_homogeneous(phi)) {
    add(homogeneous_point(phi));
    return line;
  }
  const LinePoint start = line_start(phi);
  const double low = std::max(window.sigma_b_low, start.point().sigma_b);
  if (low > window.sigma_b_high) return line;
  std::vector<std::optional<CriticalPoint>> points(static_cast<std::size_t>(count));
  parallel_for(count, [&](std::int64_t i) {
    const double fraction = static_cast<double>(i) / (count - 1);
    points[static_cast<std::size_t>(i)] = at_sigma_b(phi, start, low + (window.sigma_b_high - low) * fraction);
  });
  for (const auto& point : points) {
    if (point) add(*point);
  }
  return line;
}

}  // namespace rz::isometry
