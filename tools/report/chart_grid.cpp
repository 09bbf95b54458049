#include <fmt/format.h>

#include <algorithm>

#include "tools/report/chart.h"
#include "tools/report/gnuplot.h"
#include "tools/report/legend.h"
#include "tools/report/line_plot.h"

namespace rz::report {
namespace {

constexpr double grid_width = 1000, row_height = 300, head = 44;  // pixels
constexpr Box around{80, 20, 36, 58};                             // margins of each plot

// What a label means is the same in all plots.
std::vector<Key> keys_of(std::span<const LinePlot> plots) {
  std::vector<Key> keys;
  for (const LinePlot& plot : plots) {
    for (Key& key : plot.keys()) {
      const auto same = [&](const Key& other) { return other.label == key.label; };
      if (std::none_of(keys.begin(), keys.end(), same)) keys.push_back(std::move(key));
    }
  }
  return keys;
}

// Of chart i of n: two in a row, the first of an odd number alone in its row.
Box box_of(std::size_t i, std::size_t n, double top) {
  const bool alone = n % 2 == 1 && i == 0;
  const std::size_t place = i + n % 2;  // in rows of two
  const std::size_t row = place / 2;
  const double left = alone || place % 2 == 0 ? 0 : grid_width / 2,
               right = alone || place % 2 == 1 ? grid_width : grid_width / 2;
  const double from = top + row_height * static_cast<double>(row);
  return {left + around.left, right - around.right, from + around.top, from + row_height - around.bottom};
}

std::string script_of(const ChartGrid& grid, Format format) {
  const std::vector<LinePlot> plots(grid.charts.begin(), grid.charts.end());
  const std::vector<Key> keys = keys_of(plots);
  const double room = grid_width - around.left, top = head + legend_height(keys, room);
  const std::size_t rows = (plots.size() + 1) / 2;
  const Size size{grid_width, top + row_height * static_cast<double>(rows)};
  std::string script =
      picture(size, grid.title, format) + legend(keys, around.left, 50, room, size) + "set multiplot\n";
  for (std::size_t i = 0; i < plots.size(); ++i) {
    Box box = box_of(i, plots.size(), top);
    script += fmt::format("set label {} at {} left noenhanced textcolor rgb '#101010'\n",
                          quoted(grid.charts[i].title, 60), at_pixel(box.left, box.top - 16, size));
    box.bottom -= plots[i].height_of_notes();
    script += plots[i].script(box, size);
  }
  return script + "unset multiplot\n";
}

}  // namespace

std::string svg(const ChartGrid& grid) { return gnuplot(script_of(grid, Format::svg), Format::svg); }
std::string png(const ChartGrid& grid) { return gnuplot(script_of(grid, Format::png), Format::png); }

}  // namespace rz::report
