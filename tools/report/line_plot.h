// One plot of a picture of line charts, apart from its title and legend, which stand where the picture has room.
#pragma once

#include <string>
#include <vector>

#include "tools/report/chart.h"
#include "tools/report/curves.h"
#include "tools/report/gnuplot.h"
#include "tools/report/legend.h"

namespace rz::report {

// How a series looks.
struct Look {
  std::string ink;     // colour
  std::string stroke;  // colour and dash
  std::string dot;     // colour, shape and size
  bool marked = true;  // a line carries dots: they tell it from others in grey, but would pass for measurements
};

class LinePlot {
 public:
  explicit LinePlot(const LineChart& chart);  // which must live as long.   Throws: value (lengths differ)
  std::vector<Key> keys() const;
  double height_of_notes() const;  // pixels, below the labels of the x axis
  // Draws it with the axes at the edges of `plot`.
  std::string script(const Box& plot, Size size) const;

 private:
  std::string labels(const Box& plot, Size size) const;

  const LineChart& chart_;
  Scale scale_;
  std::vector<Curve> curves_;
  std::vector<Look> looks_;
  std::vector<std::string> notes_;
};

}  // namespace rz::report
