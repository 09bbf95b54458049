#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <tuple>
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
  RZ_CHECK(value, map.cells.empty() || map.cells.size() == map.values.size(),
           "heat map: {} texts were given for {} cells", map.cells.size(), map.values.size());
  for (const auto& [names, cells, what] :
       {std::tuple(&map.x_names, map.columns, "columns"), std::tuple(&map.y_names, map.rows, "rows")})
    RZ_CHECK(value, names->empty() || names->size() == cells, "heat map: {} names were given for {} {}", names->size(),
             cells, what);
}

// As many as a title has room for.
std::size_t title_characters(Size size) { return static_cast<std::size_t>((size.width - 40) / 8.6); }

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

double centre(double first, double last, std::size_t cells, std::size_t i) {
  return cells == 1 ? first : first + (last - first) * static_cast<double>(i) / static_cast<double>(cells - 1);
}

// Centres of cells along an axis. gnuplot draws no image of a single row or column: it is cut into halves.
std::vector<double> centres(double first, double last, std::size_t cells) {
  if (cells == 1) return {first - 0.25, first + 0.25};
  std::vector<double> all;
  for (std::size_t i = 0; i < cells; ++i) all.push_back(centre(first, last, cells, i));
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

// Of square roots: 0, and 1, 2.5 and 5 times powers of ten over two decades.
std::string ticks_of_roots(Range roots) {
  const double high = roots.high * roots.high;
  std::string ticks = "('0' 0";
  for (double power = std::pow(10.0, std::floor(std::log10(high))), k = 0; k < 3; ++k, power /= 10)
    for (const double factor : {5.0, 2.5, 1.0})
      if (factor * power <= high && factor * power >= 0.009 * high)
        fmt::format_to(std::back_inserter(ticks), ", '{:.3g}' {}", factor * power, std::sqrt(factor * power));
  return ticks + ")";
}

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

// Names of an axis and the pixels of its cells.
struct NamedAxis {
  const std::vector<std::string>& names;
  double cell = 0;  // pixels
  double font() const { return std::clamp(cell - 2, 7.0, 13.0); }
  double longest() const {
    std::size_t most = 0;
    for (const std::string& name : names) most = std::max(most, characters(shortened(name, longest_name)));
    return letter * font() * static_cast<double>(most);
  }
  // Degrees by which names along x are turned: as little as leaves them apart.
  int turn() const { return longest() <= cell - 6 ? 0 : cell >= 2 * font() ? 45 : 90; }
  double height() const { return turn() == 0 ? font() : longest() * (turn() == 45 ? std::sqrt(0.5) : 1) + 4; }
  static constexpr std::size_t longest_name = 24;
  static constexpr double letter = 0.6;  // width of a letter by the size of its font
};

// Cells of 30 pixels or, of few or many, others: at least a line of small letters.
double named_length(std::size_t cells) {
  const auto n = static_cast<double>(cells);
  return std::max(std::clamp(30 * n, 420.0, 660.0), 11 * n);
}

struct MapLayout {
  Size size;
  Box box;  // the map
  NamedAxis x, y;
};

MapLayout map_layout(const HeatMap& map) {
  const double usual = picture_height - map_margins.top - map_margins.bottom;
  const double height = map.y_names.empty() ? usual : named_length(map.rows);
  const double width = !map.x_names.empty() ? named_length(map.columns)
                       : map.square         ? height
                                            : 800 - map_margins.left - map_margins.right;
  const NamedAxis x{map.x_names, width / static_cast<double>(map.columns)},
      y{map.y_names, height / static_cast<double>(map.rows)};
  const double left = map.y_names.empty() ? map_margins.left : 44 + y.longest(),
               bottom = map.x_names.empty() ? map_margins.bottom : 44 + x.height();
  return {{left + width + map_margins.right, map_margins.top + height + bottom},
          {left, left + width, map_margins.top, map_margins.top + height},
          x,
          y};
}

std::string name_list(const NamedAxis& axis, double first, double last) {
  std::string list;
  for (std::size_t i = 0; i < axis.names.size(); ++i)
    fmt::format_to(std::back_inserter(list), "{}{} {}", i == 0 ? "" : ", ",
                   quoted(axis.names[i], NamedAxis::longest_name), centre(first, last, axis.names.size(), i));
  return list;
}

std::string axes(const HeatMap& map, const MapLayout& layout) {
  std::string script;
  const auto label = [&](std::string_view text, double x, double y, const char* turned) {
    script += fmt::format("set label {} at {} center {} noenhanced textcolor rgb '#303030'\n", quoted(text, 60),
                          at_pixel(x, y, layout.size), turned);
  };
  const Box& box = layout.box;
  if (map.x_names.empty()) {
    script += fmt::format("set xlabel {} noenhanced\nset xtics {}\n", quoted(map.x_label, 60),
                          step_of(map.x_first, map.x_last));
  } else {
    const int turn = layout.x.turn();
    label(map.x_label, (box.left + box.right) / 2, layout.size.height - 16, "");
    script += fmt::format("set xtics scale 0 {} noenhanced font 'sans-serif,{:.3g}' ({})\n",
                          turn == 0 ? "norotate" : fmt::format("rotate by {} right", turn), layout.x.font(),
                          name_list(layout.x, map.x_first, map.x_last));
  }
  if (map.y_names.empty()) {
    script += fmt::format("set ylabel {} noenhanced\nset ytics {}\n", quoted(map.y_label, 50),
                          step_of(map.y_first, map.y_last));
  } else {
    label(map.y_label, 20, (box.top + box.bottom) / 2, "rotate by 90");
    script += fmt::format("set ytics scale 0 noenhanced font 'sans-serif,{:.3g}' ({})\n", layout.y.font(),
                          name_list(layout.y, map.y_first, map.y_last));
  }
  return script;
}

// Texts in cells, white on dark ones; none where the longest has no room.
std::string cell_texts(const HeatMap& map, const MapLayout& layout, Range colours) {
  std::size_t longest = 1;
  for (const std::string& text : map.cells) longest = std::max(longest, characters(text));
  const double font =
      std::min({13.0, layout.y.cell - 4, (layout.x.cell - 4) / (NamedAxis::letter * static_cast<double>(longest))});
  if (map.cells.empty() || font < 7) return "";
  const double dark = colours.low + 0.62 * (colours.high - colours.low);
  std::string script;
  for (std::size_t i = 0; i < map.cells.size(); ++i) {
    if (map.cells[i].empty()) continue;
    const double x = centre(map.x_first, map.x_last, map.columns, i % map.columns),
                 y = centre(map.y_first, map.y_last, map.rows, i / map.columns);
    fmt::format_to(std::back_inserter(script),
                   "set label {} at first {}, first {} center front noenhanced font 'sans-serif,{:.3g}' textcolor rgb "
                   "'{}'\n",
                   quoted(map.cells[i], longest), x, y, font, map.values[i] > dark ? "#FFFFFF" : "#303030");
  }
  return script;
}

std::string script_of(const HeatMap& map, Format format) {
  check(map);
  const MapLayout layout = map_layout(map);
  const Range x = ends(map.x_first, map.x_last, map.columns), y = ends(map.y_first, map.y_last, map.rows),
              colours = range_of(map);
  std::string script = picture(layout.size, shortened(map.title, title_characters(layout.size)), format) + data_of(map);
  script += "unset key\nunset grid\nset border 15\n";
  script += margins(layout.box, layout.size) + hatched_ground;
  script += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n", x.low, x.high, map.downwards ? y.high : y.low,
                        map.downwards ? y.low : y.high);
  script += axes(map, layout) + cell_texts(map, layout, colours);
  script += fmt::format("set palette defined ({})\nset cbrange [{}:{}]\n", rising_colours, colours.low, colours.high);
  if (map.log10) script += fmt::format("set cbtics {}\n", ticks_of(colours));
  if (map.root) script += fmt::format("set cbtics {}\n", ticks_of_roots(colours));
  script += colour_bar(layout.box, map.scale_label, layout.size);
  return script + "plot $cells using 1:2:3 with image notitle\n";
}

}  // namespace

std::string svg(const HeatMap& map) { return gnuplot(script_of(map, Format::svg), Format::svg); }
std::string png(const HeatMap& map) { return gnuplot(script_of(map, Format::png), Format::png); }

}  // namespace rz::report
