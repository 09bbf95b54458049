#include "tools/report/curves.h"

#include <algorithm>

#include "core/error.h"

namespace rz::report {

constexpr double indistinct =
    1e-9;  // differences below this times the magnitude are shown as none: axes cannot label them

namespace {

// gnuplot's arithmetic on ranges overflows at the very ends of f64
double drawable(double value, bool logarithmic) { return std::clamp(value, logarithmic ? 1e-300 : -1e300, 1e300); }

}  // namespace

Curve curve_of(const Series& series, Scale scale) {
  const std::size_t n = series.x.size();
  RZ_CHECK(value, n == series.y.size(), "chart: series \"{}\" has {} x but {} y, one for each is needed", series.label,
           n, series.y.size());
  RZ_CHECK(value, series.error.empty() || n == series.error.size(),
           "chart: series \"{}\" has {} y but {} errors, one for each is needed", series.label, n, series.error.size());
  Curve curve;
  curve.measured = !series.error.empty();
  bool gap = true;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = series.x[i], y = series.y[i];
    const bool drawn = std::isfinite(x) && std::isfinite(y) && (!scale.log_x || x > 0) && (!scale.log_y || y > 0);
    if (drawn) {
      if (gap) curve.stretches.emplace_back();
      const double error = series.error.empty() || !std::isfinite(series.error[i]) ? 0 : std::abs(series.error[i]);
      const Point point{drawable(x, scale.log_x), drawable(y, scale.log_y), drawable(error, false)};
      curve.stretches.back().push_back(point);
      curve.x.include(point.x);
      if (series.stems) curve.y.include(0);
      const double low = point.y - point.error, high = point.y + point.error;
      curve.y.include(scale.log_y ? std::max(low, point.y / 3) : drawable(low, false));
      curve.y.include(drawable(high, scale.log_y));
      ++curve.points;
    }
    gap = !drawn;
  }
  return curve;
}

std::vector<Point> thinned(std::vector<Point> points, std::size_t runs) {
  if (points.size() <= 2 * runs) return points;
  std::vector<Point> result;
  for (std::size_t run = 0; run < runs; ++run) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(run * points.size() / runs);
    const auto end = points.begin() + static_cast<std::ptrdiff_t>((run + 1) * points.size() / runs);
    auto [low, high] = std::minmax_element(begin, end, [](Point a, Point b) { return a.y < b.y; });
    if (high < low) std::swap(low, high);
    result.push_back(*low);
    if (low != high) result.push_back(*high);
  }
  return result;
}

bool wants_log(const LineChart& chart) {
  if (chart.log_y) return *chart.log_y;
  Range y;
  for (const Series& series : chart.series) {
    for (const double value : series.y) {
      if (std::isfinite(value)) y.include(value);
    }
  }
  return y.low > 0 && y.high > 100 * y.low;
}

Range range_of_x(std::span<const Curve> curves, bool logarithmic) {
  Range x;
  for (const Curve& curve : curves) {
    if (curve.points > 0) {
      x.include(curve.x.low);
      x.include(curve.x.high);
    }
  }
  if (x.empty()) return logarithmic ? Range{1, 10} : Range{0, 1};
  const double magnitude = std::max(std::abs(x.low), std::abs(x.high));
  const bool wide = x.high - x.low > indistinct * magnitude;
  if (logarithmic) {
    const double factor = wide ? std::pow(x.high / x.low, 0.015) : 2;
    return {std::max(x.low / factor, 1e-305), std::min(x.high * factor, 1e305)};
  }
  const double margin = wide ? 0.015 * (x.high - x.low) : 1.03 * std::max(1.0, 0.1 * magnitude);
  return {x.low - margin, x.high + margin};
}

namespace {

Range log_range(Range all, double measured, const std::vector<double>& sorted) {
  const double most = sorted[(sorted.size() - 1) * 85 / 100];
  const auto power = [](double a, double b, double exponent) { return std::pow(a, exponent) / std::pow(b, exponent); };
  const double high = std::max(measured, std::min(all.high, most * std::max(1e3, power(most, all.low, 0.25))));
  const double margin = high > (1 + indistinct) * all.low ? power(high, all.low, 0.04) : 2;
  return {std::max(all.low / margin, 1e-305), std::min(high * margin, 1e305)};
}

Range linear_range(Range all, const std::vector<double>& sorted) {
  const std::size_t outside = sorted.size() / 20;
  const double low = sorted[outside], high = sorted[sorted.size() - 1 - outside], span = high - low;
  if (span > 0 && all.high > high + 10 * span) all.high = high + span;
  if (span > 0 && all.low < low - 10 * span) all.low = low - span;
  const double extent = all.high - all.low, magnitude = std::max(std::abs(all.low), std::abs(all.high));
  const double margin = extent > indistinct * magnitude ? 0.05 * extent : magnitude > 1e-300 ? 0.1 * magnitude : 1;
  const bool from_zero = all.low >= 0 && all.low < 0.4 * all.high;
  return {from_zero ? 0 : all.low - margin, all.high + margin};
}

}  // namespace

Range range_of_y(std::span<const Curve> curves, bool logarithmic) {
  Range all;
  double measured = 0;
  std::vector<double> values;
  for (const Curve& curve : curves) {
    if (curve.points == 0) continue;
    all.include(curve.y.low);
    all.include(curve.y.high);
    if (curve.measured) measured = std::max(measured, curve.y.high);
    for (const auto& stretch : curve.stretches) {
      for (const Point& point : stretch) values.push_back(point.y);
    }
  }
  if (values.empty()) return {logarithmic ? 0.1 : 0, 1};
  std::sort(values.begin(), values.end());
  return logarithmic ? log_range(all, measured, values) : linear_range(all, values);
}

}  // namespace rz::report
