// What of a line chart is drawn: stretches of points, and the ranges of the axes.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "tools/report/chart.h"

namespace rz::report {

struct Point {
  double x, y;
};
struct Range {
  double low = INFINITY, high = -INFINITY;
  bool empty() const { return low > high; }
  void include(double value) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
};

// A series without the points that cannot be drawn: not finite or, on a log axis, not positive.
struct Curve {
  std::vector<std::vector<Point>> stretches;  // without a gap, each of at least one point
  std::size_t points = 0;
  Range x, y;
};

Curve curve_of(const Series& series, bool logarithmic);  // Throws: value (lengths differ)
// No more points than can be told apart: of every run of neighbours the lowest and the highest, in their order.
std::vector<Point> thinned(std::vector<Point> points);

bool wants_log(const LineChart& chart);
Range range_of_x(std::span<const Curve> curves);
// All values, but for what has run away: on a log axis three decades above 85 % of the values are enough; on a linear
// one, what lies far beyond the central 90 % is left out.
Range range_of_y(std::span<const Curve> curves, bool logarithmic);

}  // namespace rz::report
