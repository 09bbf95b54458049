// What of a histogram is drawn: the bins all panels share, and the bars of each.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tools/report/chart.h"
#include "tools/report/curves.h"

namespace rz::report {

struct Bins {
  double origin = 0, step = 1;  // bin k is centred at origin + k step
  Range x;                      // of the axis
  double centre_of(double value) const { return origin + std::round((value - origin) / step) * step; }
};

// Bins over all values, the mark, and the theory: its atoms and where its density is above a thousandth of the highest.
// Throws: value (no bins; lengths of a theory differ).
Bins bins_of(const Histogram& histogram);

// Fractions by the centre of the bin, and a note on what is not drawn.
struct Bars {
  std::map<double, double> fractions;
  double zeros = 0;
  std::string note;
};

Bars bars_of(const Panel& panel, const Bins& bins);  // Throws: value (lengths of values and weights differ)

// What the theory expects of a bar centred at x: the integral of its density over one bin about x, by the trapezoidal
// rule. The density itself would rise far above the bars where it is narrower than a bin.
std::vector<Point> expected_bars(const Series& density, const Bins& bins);

bool has_zeros(const Panel& panel);  // or an atom of the theory there

}  // namespace rz::report
