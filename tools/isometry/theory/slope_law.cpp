#include "tools/isometry/theory/slope_law.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>

#include "core/error.h"
#include "tools/isometry/theory/moments.h"
#include "tools/isometry/theory/numbers.h"
#include "tools/isometry/theory/root.h"

namespace rz::isometry {
namespace {

constexpr double reach = 8.5;    // in deviations: 2e-17 of the mass lie beyond
constexpr double straight = 48;  // |x| beyond which phi' is constant to 1e-20, but for sin
// E cos(2 k x) = exp(-2 k^2 q): at this variance all arguments of sin' are alike.
constexpr double largest_sin_q = 20;

double normal_mass(double from, double to) {  // between two places in units of the deviation
  const double root = std::numbers::sqrt2;
  if (from > 0) return 0.5 * (std::erfc(from / root) - std::erfc(to / root));
  return 0.5 * (std::erfc(-to / root) - std::erfc(-from / root));
}

// Ends of panels, in deviations, for integrals over 1 / (1 - chi phi'^2) at any chi: phi'^2 changes by no more than
// exp(1.5) within a panel, down to 1e-26, and zeros of phi' lie between panels of the width `smallest`.
void add_ends(std::vector<double>& ends, const std::function<double(double)>& slope, double low, double high,
              double widest, double smallest) {
  const double middle = 0.5 * (low + high), width = high - low;
  const auto level = [&](double z) { return std::log(std::pow(slope(z), 2) + 1e-26); };
  const double a = level(low), b = level(middle), c = level(high);
  const double change = std::max({a, b, c}) - std::min({a, b, c});
  if (width > widest || (width > smallest && (change > 1.5 || slope(low) * slope(high) < 0))) {
    add_ends(ends, slope, low, middle, widest, smallest);
    add_ends(ends, slope, middle, high, widest, smallest);
  } else {
    ends.push_back(high);
  }
}

}  // namespace

SlopeLaw::SlopeLaw(Scalar phi, double q, double scale)
    : phi_(phi), q_(phi.function == ScalarFunction::sin ? std::min(q, largest_sin_q) : q), scale_(scale) {
  if (q == 0) {
    const GaussianRule sides = gaussian_rule(phi, q);
    for (std::size_t i = 0; i < sides.x.size(); ++i)
      points_.push_back({scale * std::pow(evaluate(phi, 1, sides.x[i]), 2), sides.weight[i], true});
  } else {
    double low = -infinity;
    for (const double kink : info(phi.function).kinks) {
      add_stretch(low, kink / std::sqrt(q_));
      low = kink / std::sqrt(q_);
    }
    add_stretch(low, infinity);
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
  for (const Point& p : points_) relative_variance_ += p.mass * std::pow(p.value / mean_ - 1, 2);
  const Point& lowest = points_.front();
  positive_mass_ = lowest.atom && lowest.value == 0 ? 1 - lowest.mass : 1;
  mean_log_ = mean_log_slope_squared(phi, q) + std::log(scale);
  supremum_ = find_supremum();
}

// phi' between two kinks, at low and high in deviations: a constant or analytic.
void SlopeLaw::add_stretch(double low, double high) {
  const double from = std::max(low, -reach), to = std::min(high, reach), root_q = std::sqrt(q_);
  if (from >= to) return;
  const double inset = 1e-9 * (to - from);  // phi' jumps at a kink
  const auto slope = [&](double z) { return evaluate(phi_, 1, root_q * std::clamp(z, from + inset, to - inset)); };
  const double first = slope(from);
  bool constant = true;
  for (int i = 1; i <= 16; ++i) constant = constant && slope(from + (to - from) * i / 16) == first;
  if (constant) {
    points_.push_back({scale_ * first * first, normal_mass(low, high), true});
    return;
  }
  // Narrow panels where phi' bends, wide ones beyond.
  const double bend = straight / root_q, smallest = 1e-10 / std::max(1.0, root_q);
  std::vector<double> ends{from};
  for (const double end : {-bend, bend, infinity}) {
    const double low_end = ends.back(), high_end = std::clamp(end, low_end, to);
    const bool inside = high_end <= bend && low_end >= -bend;
    if (low_end < high_end)
      add_ends(ends, slope, low_end, high_end, inside ? std::min(1.0, 2 / root_q) : 1.0, smallest);
  }
  const GaussianRule rule = panel_rule(ends, q_);
  for (std::size_t panel = 0; panel + 1 < ends.size(); ++panel) {
    std::array<double, Panel::order> z{}, log_s{};
    const std::size_t begin = panel * Panel::order;
    for (std::size_t k = begin; k < begin + Panel::order; ++k) {
      const double s = scale_ * std::pow(evaluate(phi_, 1, rule.x[k]), 2);
      z[k - begin] = rule.x[k] / root_q;
      log_s[k - begin] = std::log(s);
      points_.push_back({s, rule.weight[k], false});
    }
    if (slope(ends[panel]) * slope(ends[panel + 1]) > 0)  // a zero lies in panels of no weight alone
      panels_.emplace_back(ends[panel], ends[panel + 1], z, std::span(rule.weight).subspan(begin, Panel::order), log_s);
  }
}

bool SlopeLaw::discrete() const { return std::ranges::all_of(points_, &Point::atom); }

double SlopeLaw::smallest_positive() const {
  return std::ranges::find_if(points_, [](const Point& p) { return p.value > 0; })->value;
}

double SlopeLaw::find_supremum() const {
  double best = points_.back().value;
  if (points_.back().atom) return best;
  const double root_q = std::sqrt(q_), span = std::min(reach, straight / root_q);
  const auto at = [&](double z) { return scale_ * std::pow(evaluate(phi_, 1, root_q * z), 2); };
  constexpr int cells = 4096;
  for (int i = 1; i < cells; ++i) {
    const double middle = span * (2.0 * i / cells - 1), h = 2 * span / cells;
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

SlopeLaw::Value SlopeLaw::psi(std::complex<double> log_chi) const {
  const std::complex<double> chi = std::exp(log_chi);
  double re = 0, im = 0, slope_re = 0, slope_im = 0, excess_re = 0, excess_im = 0;
  const double a = chi.real(), b = chi.imag();
  for (const Point& p : points_) {  // v = x / (1 - x), v / (1 - x) and v d^2, x = chi d^2, by hand: four times as fast
    const double x = a * p.value, y = b * p.value, over = 1 / ((1 - x) * (1 - x) + y * y);
    const double inverse_re = (1 - x) * over, inverse_im = y * over;
    const double v_re = p.mass * (x * inverse_re - y * inverse_im), v_im = p.mass * (x * inverse_im + y * inverse_re);
    re += v_re;
    im += v_im;
    slope_re += v_re * inverse_re - v_im * inverse_im;
    slope_im += v_re * inverse_im + v_im * inverse_re;
    excess_re += v_re * p.value;
    excess_im += v_im * p.value;
  }
  Value sum{{re, im}, {slope_re, slope_im}, {excess_re / mean_, excess_im / mean_}};
  for (const Panel& panel : panels_) {
    const Panel::Correction correction = panel.correction(std::log(chi));
    sum.psi += correction.value;
    sum.slope += correction.slope;
    sum.excess += correction.value / (chi * mean_);
  }
  return sum;
}

double SlopeLaw::chi(double z) const {
  const auto f = [&](double y) {  // 1 / psi - 1 / z is nearly linear in y = 1 / chi
    const Value at = psi(-std::log(std::complex<double>(y)));
    const double value = at.psi.real();
    return Slope{1 / value - 1 / z, at.slope.real() / (y * value * value)};
  };
  if (z > 0) return 1 / increasing_root(f, std::max(supremum_, mean_ * (1 + 1 / z)), supremum_ * (1 + 1 / z));
  if (z > -positive_mass_) return 1 / increasing_root(f, mean_ * (1 + z) / z, 0);
  return 1 / increasing_root(f, 0, smallest_positive());
}

double SlopeLaw::density(double value) const {
  if (value <= 0) return 0;
  constexpr int cells = 4096;
  const double root_q = std::sqrt(q_), span = std::min(reach, straight / root_q);
  const auto f = [&](double z) { return scale_ * std::pow(evaluate(phi_, 1, root_q * z), 2) - value; };
  double sum = 0, left = f(-span);
  for (int i = 0; i < cells; ++i) {
    double low = -span + 2 * span * i / cells, high = -span + 2 * span * (i + 1) / cells;
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
