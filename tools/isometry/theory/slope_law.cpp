#include "tools/isometry/theory/slope_law.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

#include "core/error.h"
#include "tools/isometry/theory/moments.h"
#include "tools/isometry/theory/roots.h"

namespace rz::isometry {
namespace {

constexpr double reach = 8.5;  // in deviations: 2e-17 of the mass lie beyond
constexpr double infinity = std::numeric_limits<double>::infinity();

double normal_mass(double from, double to) {  // between two places in units of the deviation
  const double root = std::numbers::sqrt2;
  if (from > 0) return 0.5 * (std::erfc(from / root) - std::erfc(to / root));
  return 0.5 * (std::erfc(-to / root) - std::erfc(-from / root));
}

// Ends of panels, in deviations, for integrals over 1 / (1 - chi phi'^2) at any chi: phi'^2 changes by no more than
// exp(1.5) within a panel, down to 1e-20, and zeros of phi' lie between panels of about 1e-8.
void add_ends(std::vector<double>& ends, const std::function<double(double)>& slope, double low, double high) {
  const double middle = 0.5 * (low + high), width = high - low;
  const auto level = [&](double z) { return std::log(std::pow(slope(z), 2) + 1e-20); };
  const double a = level(low), b = level(middle), c = level(high);
  const double change = std::max({a, b, c}) - std::min({a, b, c});
  if (width > 1 || (width > 1e-8 && (change > 1.5 || slope(low) * slope(high) < 0))) {
    add_ends(ends, slope, low, middle);
    add_ends(ends, slope, middle, high);
  } else {
    ends.push_back(high);
  }
}

GaussianRule graded_rule(Scalar phi, double q) {
  if (q == 0) return gaussian_rule(phi, q);
  const double root_q = std::sqrt(q);
  std::vector<double> ends{-reach};
  for (const double kink : info(phi.function).kinks) {
    if (std::abs(kink) < reach * root_q) ends.push_back(kink / root_q);
  }
  ends.push_back(reach);
  std::vector<double> all{-reach};
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    const double inset = 1e-9 * (ends[i + 1] - ends[i]);  // phi' jumps at a kink
    const auto slope = [&](double z) {
      return evaluate(phi, 1, root_q * std::clamp(z, ends[i] + inset, ends[i + 1] - inset));
    };
    add_ends(all, slope, ends[i], ends[i + 1]);
  }
  for (double& end : all) end *= root_q;
  return gaussian_rule(all, q);
}

}  // namespace

SlopeLaw::SlopeLaw(Scalar phi, double q, double scale) : phi_(phi), q_(q), scale_(scale) {
  const GaussianRule rule = graded_rule(phi, q);
  const auto squared = [&](double x) { return std::pow(evaluate(phi, 1, x), 2); };
  std::vector<double> ends{-infinity};
  for (const double kink : info(phi.function).kinks) ends.push_back(kink);
  ends.push_back(infinity);
  std::size_t at = 0;
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    const std::size_t first = at;
    while (at < rule.x.size() && rule.x[at] < ends[i + 1]) ++at;
    if (at == first) continue;
    bool constant = true;
    double sum = 0;
    for (std::size_t k = first; k < at; ++k) {
      constant = constant && squared(rule.x[k]) == squared(rule.x[first]);
      sum += rule.weight[k];
    }
    if (constant) {
      const double mass = q > 0 ? normal_mass(ends[i] / std::sqrt(q), ends[i + 1] / std::sqrt(q)) : sum;
      points_.push_back({scale * squared(rule.x[first]), mass, true});
    } else {
      for (std::size_t k = first; k < at; ++k) {
        if (rule.weight[k] > 1e-17) points_.push_back({scale * squared(rule.x[k]), rule.weight[k], false});
      }
    }
  }
  std::ranges::sort(points_, {}, &Point::value);
  std::vector<Point> merged;
  for (const Point& point : points_) {
    if (!merged.empty() && merged.back().value == point.value && merged.back().atom == point.atom)
      merged.back().mass += point.mass;
    else
      merged.push_back(point);
  }
  points_ = std::move(merged);

  for (const Point& p : points_) mean_ += p.mass * p.value;
  RZ_CHECK(value, mean_ > 0, "{}: its slope is zero for all arguments of variance {}, so no signal passes",
           info(phi.function).name, q);
  for (const Point& p : points_) {
    relative_variance_ += p.mass * std::pow(p.value / mean_ - 1, 2);
    if (p.value > 0) positive_mass_ += p.mass;
  }
  if (points_.front().value > 0 || !points_.front().atom) positive_mass_ = 1;
  mean_log_ = mean_log_slope_squared(phi, q) + std::log(scale);
}

bool SlopeLaw::discrete() const { return std::ranges::all_of(points_, &Point::atom); }

double SlopeLaw::smallest_positive() const {
  return std::ranges::find_if(points_, [](const Point& p) { return p.value > 0; })->value;
}

double SlopeLaw::supremum() const {
  double best = largest();
  if (points_.back().atom) return best;
  const double root_q = std::sqrt(q_);
  const auto at = [&](double z) { return scale_ * std::pow(evaluate(phi_, 1, root_q * z), 2); };
  constexpr int cells = 4096;
  for (int i = 1; i < cells; ++i) {
    const double middle = reach * (2.0 * i / cells - 1), h = 2 * reach / cells;
    if (at(middle) < at(middle - h) || at(middle) < at(middle + h)) continue;
    const auto rises = [&](double z) { return evaluate(phi_, 1, root_q * z) * evaluate(phi_, 2, root_q * z) > 0; };
    best = std::max(best, at(bisect(rises, middle - h, middle + h)));
  }
  return best;
}

double SlopeLaw::moment(int k) const {
  double sum = 0;
  for (const Point& p : points_) sum += p.mass * std::pow(p.value / mean_, k);
  return sum;
}

SlopeLaw::Value SlopeLaw::psi(std::complex<double> chi) const {
  double re = 0, im = 0, slope_re = 0, slope_im = 0;
  const double a = chi.real(), b = chi.imag();
  for (const Point& p : points_) {  // x / (1 - x) and x / (1 - x)^2, x = chi d^2, by hand: four times as fast
    const double x = a * p.value, y = b * p.value, over = 1 / ((1 - x) * (1 - x) + y * y);
    const double inverse_re = (1 - x) * over, inverse_im = y * over;
    const double v_re = x * inverse_re - y * inverse_im, v_im = x * inverse_im + y * inverse_re;
    re += p.mass * v_re;
    im += p.mass * v_im;
    slope_re += p.mass * (v_re * inverse_re - v_im * inverse_im);
    slope_im += p.mass * (v_re * inverse_im + v_im * inverse_re);
  }
  return {{re, im}, {slope_re, slope_im}};
}

double SlopeLaw::chi(double z) const {
  const auto f = [&](double y) {  // 1 / psi - 1 / z is nearly linear in y = 1 / chi
    double psi = 0, slope = 0;
    for (const Point& p : points_) {
      const double inverse = 1 / (y - p.value);
      psi += p.mass * p.value * inverse;
      slope -= p.mass * p.value * inverse * inverse;
    }
    return Slope{1 / psi - 1 / z, -slope / (psi * psi)};
  };
  if (z > 0) return 1 / increasing_root(f, std::max(largest(), mean_ * (1 + 1 / z)), largest() * (1 + 1 / z));
  if (z > -positive_mass_) return 1 / increasing_root(f, mean_ * (1 + z) / z, 0);
  return 1 / increasing_root(f, 0, smallest_positive());
}

double SlopeLaw::density(double value) const {
  if (value <= 0) return 0;
  constexpr int cells = 4096;
  const double root_q = std::sqrt(q_);
  const auto f = [&](double z) { return scale_ * std::pow(evaluate(phi_, 1, root_q * z), 2) - value; };
  double sum = 0, left = f(-reach);
  for (int i = 0; i < cells; ++i) {
    double low = -reach + 2 * reach * i / cells, high = -reach + 2 * reach * (i + 1) / cells;
    const double right = f(high);
    const double sign = left < 0 ? 1 : -1;
    if ((left < 0) != (right < 0)) {
      const double z = bisect([&](double at) { return sign * f(at) < 0; }, low, high);
      const double x = root_q * z;
      const double slope = std::abs(2 * scale_ * root_q * evaluate(phi_, 1, x) * evaluate(phi_, 2, x));
      if (slope > 0) sum += std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi) / slope;
    }
    left = right;
  }
  return sum;
}

}  // namespace rz::isometry
