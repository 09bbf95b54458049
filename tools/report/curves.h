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
  double error = 0;
};
struct Scale {
  bool log_x, log_y;
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
  bool measured = false;  // has errors
  Range x, y;             // of y: with the bars of the errors, on a log axis down to a third of the value
};

Curve curve_of(const Series& series, Scale scale);  // Throws: value (lengths differ)
// No more points than can be told apart: of every one of so many runs of neighbours the lowest and the highest, in
// their order.
std::vector<Point> thinned(std::vector<Point> points, std::size_t runs);

bool wants_log(const LineChart& chart);
Range range_of_x(std::span<const Curve> curves, bool logarithmic);
// All values, but for what has run away: on a log axis three decades above 85 % of the values are enough; on a linear
// one, what lies far beyond the central 90 % is left out. What was measured never leaves a log axis.
Range range_of_y(std::span<const Curve> curves, bool logarithmic);

}  // namespace rz::report
