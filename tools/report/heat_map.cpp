#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "core/error.h"
#include "tools/report/chart.h"
#include "tools/report/colour_bar.h"
#include "tools/report/curves.h"
#include "tools/report/gnuplot.h"

namespace rz::report {
namespace {

constexpr double picture_height = 500;                                         // pixels
constexpr Box map_margins{.left = 78, .right = 120, .top = 56, .bottom = 65};  // the map

void check(const HeatMap& map) {
  RZ_CHECK(value, map.columns >= 1 && map.rows >= 1, "heat map: {} x {} cells were given, there must be one", map.rows,
           map.columns);
  RZ_CHECK(value, map.values.size() == map.rows * map.columns, "heat map: {} values were given for {} x {} cells",
           map.values.size(), map.rows, map.columns);
}

// Half a cell around the centres of the first and the last one.
Range ends(double first, double last, std::size_t cells) {
  const double half = cells > 1 ? 0.5 * (last - first) / static_cast<double>(cells - 1) : 0.5;
  return {first - half, last + half};
}

Range range_of(const HeatMap& map) {
  Range range;
  if (!map.log10) range.include(0);
  for (const double value : map.values)
    if (std::isfinite(value)) range.include(value);
  if (range.empty()) return {0, 1};
  const double noise = 1e-9 * std::max(1.0, std::abs(range.low));
  if (!(range.high - range.low > noise)) range.high = range.low + 1;
  return range;
}

// Centres of cells along an axis. gnuplot draws no image of a single row or column: it is cut into halves.
std::vector<double> centres(double first, double last, std::size_t cells) {
  if (cells == 1) return {first - 0.25, first + 0.25};
  std::vector<double> all;
  for (std::size_t i = 0; i < cells; ++i)
    all.push_back(first + (last - first) * static_cast<double>(i) / static_cast<double>(cells - 1));
  return all;
}

std::string data_of(const HeatMap& map) {
  const std::vector<double> x = centres(map.x_first, map.x_last, map.columns),
                            y = centres(map.y_first, map.y_last, map.rows);
  std::string data = "$cells << END\n";
  for (std::size_t r = 0; r < y.size(); ++r)
    for (std::size_t c = 0; c < x.size(); ++c) {
      const double value = map.values[std::min(r, map.rows - 1) * map.columns + std::min(c, map.columns - 1)];
      fmt::format_to(std::back_inserter(data), "{} {} {}\n", x[c], y[r], std::isfinite(value) ? value : NAN);
    }
  return data + "END\n";
}

// Marks at whole numbers, about eight.
double step_of(double first, double last) { return std::max(1.0, round_step(std::max(last - first, 1.0) / 8)); }

// Of logarithms: 1, 2 and 5 times powers of ten, or only every few of these powers.
std::string ticks_of(Range logarithms) {
  const double decades = logarithms.high - logarithms.low, step = decades > 8 ? round_step(decades / 8) : 1;
  std::string ticks;
  for (double power = std::floor(logarithms.low / step) * step; power <= logarithms.high; power += step)
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double at = power + std::log10(factor);
      if ((decades > 2.5 && factor > 1) || at < logarithms.low || at > logarithms.high) continue;
      fmt::format_to(std::back_inserter(ticks), "{}'{:.3g}' {}", ticks.empty() ? "" : ", ", std::pow(10.0, at), at);
    }
  if (ticks.find(',') != std::string::npos) return "(" + ticks + ")";
  ticks.clear();  // a range within one of these steps
  for (const double at : {logarithms.low, 0.5 * (logarithms.low + logarithms.high), logarithms.high})
    fmt::format_to(std::back_inserter(ticks), "{}'{:.3g}' {}", ticks.empty() ? "" : ", ", std::pow(10.0, at), at);
  return "(" + ticks + ")";
}

std::string script_of(const HeatMap& map, Format format) {
  check(map);
  const double map_height = picture_height - map_margins.top - map_margins.bottom;
  const Size size{map.square ? map_height + map_margins.left + map_margins.right : 800.0, picture_height};
  const Box box{map_margins.left, size.width - map_margins.right, map_margins.top, map_margins.top + map_height};
  const Range x = ends(map.x_first, map.x_last, map.columns), y = ends(map.y_first, map.y_last, map.rows),
              colours = range_of(map);
  std::string script = picture(size, map.title, format) + data_of(map) + "unset key\nunset grid\nset border 15\n";
  script += margins(box, size) + hatched_ground;
  script += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\nset xlabel {} noenhanced\nset ylabel {} noenhanced\n",
                        x.low, x.high, map.downwards ? y.high : y.low, map.downwards ? y.low : y.high,
                        quoted(map.x_label, 60), quoted(map.y_label, 50));
  script +=
      fmt::format("set xtics {}\nset ytics {}\n", step_of(map.x_first, map.x_last), step_of(map.y_first, map.y_last));
  script += fmt::format("set palette defined ({})\nset cbrange [{}:{}]\n", rising_colours, colours.low, colours.high);
  if (map.log10) script += fmt::format("set cbtics {}\n", ticks_of(colours));
  script += colour_bar(box, map.scale_label, size);
  return script + "plot $cells using 1:2:3 with image notitle\n";
}

}  // namespace

std::string svg(const HeatMap& map) { return gnuplot(script_of(map, Format::svg), Format::svg); }
std::string png(const HeatMap& map) { return gnuplot(script_of(map, Format::png), Format::png); }

}  // namespace rz::report
