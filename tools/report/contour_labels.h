// Where a contour map says which values its contour lines have.
#pragma once

#include <vector>

#include "tools/report/chart.h"
#include "tools/report/gnuplot.h"

namespace rz::report {

struct LevelLabel {
  double x, y, level;
};

// At most one for each level, where it is far from the edges, from the other labels, and from lines and marks; none
// where there is no room. `plot`: of the map without its margins.
std::vector<LevelLabel> level_labels(const ContourMap& map, const ContourMap::Field& field, Size plot);

}  // namespace rz::report
