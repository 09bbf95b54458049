#include <algorithm>
#include <cmath>

#include "tools/report/chart.h"
#include "tools/report/gnuplot.h"
#include "tools/report/legend.h"
#include "tools/report/line_plot.h"

namespace rz::report {
namespace {

constexpr Size size{800, 500};

struct Layout {
  Box plot{80, size.width - 24, 48, size.height - 60};
  bool legend_in_row = true;  // above the plot, else at its right
};

Layout layout_of(std::span<const Key> keys, double notes) {
  Layout layout;
  Box& plot = layout.plot;
  plot.bottom -= notes;
  layout.legend_in_row = fits_in_row(keys, plot.right - plot.left + 20);
  double widest = 0;
  for (const Key& key : keys) widest = std::max(widest, key_width(key.label));
  if (layout.legend_in_row)
    plot.top += legend_height(keys, INFINITY);
  else
    plot.right -= widest;
  return layout;
}

std::string script_of(const LineChart& chart, Format format) {
  const LinePlot line_plot(chart);
  const std::vector<Key> keys = line_plot.keys();
  const auto [plot, in_row] = layout_of(keys, line_plot.height_of_notes());
  return picture(size, chart.title, format) +
         legend(keys, in_row ? plot.left : plot.right + 20, in_row ? 50 : plot.top + 8, in_row ? INFINITY : 0, size) +
         line_plot.script(plot, size);
}

}  // namespace

std::string svg(const LineChart& chart) { return gnuplot(script_of(chart, Format::svg), Format::svg); }
std::string png(const LineChart& chart) { return gnuplot(script_of(chart, Format::png), Format::png); }

}  // namespace rz::report
