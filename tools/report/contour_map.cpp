#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/error.h"
#include "tools/report/chart.h"
#include "tools/report/colour_bar.h"
#include "tools/report/contour_labels.h"
#include "tools/report/curves.h"
#include "tools/report/gnuplot.h"
#include "tools/report/legend.h"

namespace rz::report {
namespace {

constexpr int levels = 14;                                                                // contour lines
constexpr double height = 500, margin_left = 70, margin_right = 110, margin_bottom = 65;  // pixels; margins of each map

void check(const ContourMap& map) {
  RZ_CHECK(value, map.columns >= 2 && map.rows >= 2,
           "contour map: {} x {} points were given, at least 2 x 2 are needed", map.rows, map.columns);
  RZ_CHECK(value, !map.fields.empty() && map.fields.size() <= 2,
           "contour map: {} fields were given, but it has room for 1 or 2", map.fields.size());
  for (const ContourMap::Field& field : map.fields)
    RZ_CHECK(value, field.values.size() == map.rows * map.columns, "contour map: {} has {} values for {} x {} points",
             field.label, field.values.size(), map.rows, map.columns);
  for (const ContourMap::Field& field : map.fields) {
    for (const double level : field.levels)
      RZ_CHECK(value, std::isfinite(level), "contour map: a level of {} is {}, which no contour has", field.label,
               level);
  }
  for (const ContourMap::Mark& mark : map.marks)
    RZ_CHECK(value, std::isfinite(mark.x) && std::isfinite(mark.y), "contour map: mark {} has no place: ({}, {})",
             mark.label, mark.x, mark.y);
  for (const Series& path : map.paths)
    RZ_CHECK(value, path.x.size() == path.y.size(), "contour map: path {} has {} x and {} y", path.label, path.x.size(),
             path.y.size());
  for (const Series& line : map.lines)
    RZ_CHECK(value, line.x.size() == line.y.size(), "contour map: line {} has {} x and {} y", line.label, line.x.size(),
             line.y.size());
}

double at(double low, double high, std::size_t i, std::size_t n) {
  return low + (high - low) * static_cast<double>(i) / static_cast<double>(n - 1);
}

// What is not finite is not drawn; the very ends of f64 are too much for gnuplot's arithmetic.
double drawable(double value) { return std::isfinite(value) ? std::clamp(value, -1e300, 1e300) : NAN; }

// x y value, a block per row: for images and for contours.
std::string grid(const ContourMap& map, std::size_t index) {
  std::string data = fmt::format("$grid{} << END\n", index);
  auto out = std::back_inserter(data);
  for (std::size_t r = 0; r < map.rows; ++r) {
    for (std::size_t c = 0; c < map.columns; ++c) {
      const double value = map.fields[index].values[r * map.columns + c];
      fmt::format_to(out, "{} {} {}\n", at(map.x_low, map.x_high, c, map.columns),
                     at(map.y_low, map.y_high, r, map.rows), drawable(value));
    }
    data += "\n";
  }
  return data + "END\n";
}

void add_points(const std::string& name, const Series& series, std::string& data) {
  auto out = std::back_inserter(data);
  fmt::format_to(out, "${} << END\n", name);
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (std::isfinite(series.x[i]) && std::isfinite(series.y[i]))
      fmt::format_to(out, "{} {}\n", series.x[i], series.y[i]);
    else
      data += "\n";
  }
  data += "END\n";
}

// The data of paths, of their ends, and of lines.
std::string overlays(const ContourMap& map) {
  std::string data;
  for (std::size_t k = 0; k < map.paths.size(); ++k) {
    const Series& path = map.paths[k];
    add_points(fmt::format("path{}", k), path, data);
    Series end;
    if (!path.x.empty()) end = {{}, {path.x.back()}, {path.y.back()}};
    add_points(fmt::format("end{}", k), end, data);
  }
  for (std::size_t k = 0; k < map.lines.size(); ++k) add_points(fmt::format("over{}", k), map.lines[k], data);
  return data;
}

// gnuplot's SVG overlooks a new dash where width and colour stay the same.
std::string style_of_line(std::size_t k) {
  return fmt::format("lw {} lc rgb '#101010' dt {}", 2 + 0.01 * static_cast<double>(k), 1 + k % 4);
}

bool is_point(const Series& line) { return line.x.size() == 1; }
constexpr const char* point_style = "pt 13 ps 1.6 lc rgb '#101010'";

// A label stands on white, on the side of its mark where there is more room.
std::string marks(const ContourMap& map) {
  std::string script = "set style textbox opaque margins 1.0, 0.5 fc rgb 'white' noborder\n";
  for (const ContourMap::Mark& mark : map.marks) {
    const bool at_left = std::abs(mark.x - map.x_low) > std::abs(mark.x - map.x_high);
    script += fmt::format(
        "set label '' at {0}, {1} front point pt 7 ps 1.3 lc rgb '#101010'\n"
        "set label '' at {0}, {1} front point pt 7 ps 0.9 lc rgb '#F0E442'\n",
        mark.x, mark.y);
    if (!mark.label.empty())
      script += fmt::format("set label {} at {}, {} {} offset {},0 front boxed noenhanced textcolor rgb '#101010'\n",
                            quoted(mark.label, 30), mark.x, mark.y, at_left ? "right" : "left", at_left ? -1.5 : 1.5);
  }
  return script;
}

Range range_of(const ContourMap::Field& field) {
  Range range;
  for (const double value : field.values) {
    if (std::isfinite(value)) range.include(drawable(value));
  }
  if (range.empty()) range = {0, 1};
  if (range.high - range.low <= 1e-9 * std::max(std::abs(range.low), std::abs(range.high)))
    range = {range.low - std::max(0.5, 0.1 * std::abs(range.low)),
             range.high + std::max(0.5, 0.1 * std::abs(range.low))};
  if (!field.middle) return range;
  const double reach = std::max({range.high - *field.middle, *field.middle - range.low, 1e-9});
  return {drawable(*field.middle - reach), drawable(*field.middle + reach)};
}

std::string number(const ContourMap::Field& field, double level) {
  return fmt::format("{:.5g}", field.log10 ? std::pow(10.0, level) : level);
}

// Ticks at the middle and at the levels that were asked for, none closer than a text is high.
std::string ticks_of(const ContourMap::Field& field, Range range) {
  const double text = 0.05 * (range.high - range.low);
  std::vector<double> sorted = field.levels;
  std::sort(sorted.begin(), sorted.end());
  std::string ticks;
  double last = -INFINITY;
  const auto add = [&](double level) {
    fmt::format_to(std::back_inserter(ticks), "{}'{}' {}", ticks.empty() ? "" : ", ", number(field, level), level);
  };
  if (field.middle) add(*field.middle);
  for (const double level : sorted) {
    if (level < range.low || level > range.high || level - last < text) continue;
    if (field.middle && std::abs(level - *field.middle) < text) continue;
    add(level);
    last = level;
  }
  return ticks.empty() ? "autofreq" : "(" + ticks + ")";
}

// Steep about the middle, so that both sides are seen where one reaches further.
std::string colours_of(const ContourMap::Field& field) {
  const Range range = range_of(field);
  const char* const palette =
      field.middle ? "-1 '#2166AC', -0.4 '#67A9CF', -0.1 '#D1E5F0', 0 '#FFFFFF', 0.1 '#FDDBC7', 0.4 '#EF8A62', 1 "
                     "'#B2182B'"
                   : rising_colours;
  return fmt::format("set palette defined ({})\nset cbrange [{}:{}]\nset cbtics {}\n", palette, range.low, range.high,
                     ticks_of(field, range));
}

std::string labels_of(const ContourMap& map, const ContourMap::Field& field, Size plot) {
  std::string script;
  for (const LevelLabel& label : level_labels(map, field, plot))
    script += fmt::format("set label '{}' at {}, {} center front boxed font 'sans-serif,10' textcolor rgb '#303030'\n",
                          number(field, label.level), label.x, label.y);
  return script;
}

std::string panel(const ContourMap& map, std::size_t index, double from, double top, Size size) {
  const ContourMap::Field& field = map.fields[index];
  const double map_left = from + margin_left;
  const double map_right = from + size.width / static_cast<double>(map.fields.size()) - margin_right;
  const Box box{map_left, map_right, top, height - margin_bottom};
  std::string script = margins(box, size) + hatched_ground;
  script += fmt::format(
      "set label {} at {} left noenhanced textcolor rgb '#303030'\nset xlabel {} noenhanced\nset ylabel {} "
      "noenhanced offset 1,0\n",
      quoted(field.label, 60), at_pixel(map_left, top - 20, size), quoted(map.x_label, 40), quoted(map.y_label, 40));
  script += colours_of(field) + labels_of(map, field, {map_right - map_left, box.bottom - top});
  script += colour_bar(box, field.scale_label, size);
  script += fmt::format(
      "plot $grid{} using 1:2:3 with image notitle, $lines{} using 1:2 with lines lw 0.7 lc rgb '#404040' notitle",
      index, index);
  for (std::size_t k = 0; k < map.lines.size(); ++k)
    script += is_point(map.lines[k]) ? fmt::format(
                                           ", $over{0} using 1:2 with points pt 13 ps 2.2 lc rgb 'white', "
                                           "$over{0} using 1:2 with points {1}",
                                           k, point_style)
                                     : fmt::format(
                                           ", $over{0} using 1:2 with lines lw 4 lc rgb 'white', "
                                           "$over{0} using 1:2 with lines {1}",
                                           k, style_of_line(k));
  for (std::size_t k = 0; k < map.paths.size(); ++k)
    script += fmt::format(
        ", $path{} using 1:2 with lines lw 2 lc rgb 'white' notitle, $path{} using 1:2 with lines lw 1.2 lc rgb "
        "'#D55E00' notitle, $end{} using 1:2 with points pt 7 ps 0.8 lc rgb '#D55E00' notitle",
        k, k, k);
  return script + "\n";
}

std::string contours(const ContourMap::Field& field, std::size_t index) {
  const auto finite = [](double value) { return std::isfinite(value); };
  if (std::none_of(field.values.begin(), field.values.end(), finite))
    return fmt::format("$lines{} << END\nEND\n", index);
  std::string wanted = fmt::format("levels auto {}", levels);
  if (!field.levels.empty()) wanted = fmt::format("levels discrete {}", fmt::join(field.levels, ", "));
  return fmt::format(
      "set contour base\nunset surface\nset cntrparam {}\nset table $lines{}\nsplot $grid{} using 1:2:3\n"
      "unset table\nunset contour\nset surface\n",
      wanted, index, index);
}

std::string script_of(const ContourMap& map, Format format) {
  check(map);
  const Size size{map.fields.size() == 1 ? 700.0 : 1000.0, height};
  std::vector<Key> keys;
  for (std::size_t k = 0; k < map.lines.size(); ++k)
    keys.push_back({.label = map.lines[k].label,
                    .line = is_point(map.lines[k]) ? "" : style_of_line(k),
                    .point = is_point(map.lines[k]) ? point_style : ""});
  std::string script = picture(size, map.title, format) + overlays(map);
  script += "unset key\nunset grid\nset border 15\nset tics out\n";
  for (std::size_t k = 0; k < map.fields.size(); ++k) script += grid(map, k) + contours(map.fields[k], k);
  // an image's cells are centred at its points
  const double half_x = 0.5 * (map.x_high - map.x_low) / static_cast<double>(map.columns - 1);
  const double half_y = 0.5 * (map.y_high - map.y_low) / static_cast<double>(map.rows - 1);
  script += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\nset multiplot\n", map.x_low - half_x,
                        map.x_high + half_x, map.y_low - half_y, map.y_high + half_y);
  const double room = size.width - margin_left;
  script += legend(keys, margin_left, 54, room, size);
  for (std::size_t k = 0; k < map.fields.size(); ++k) {
    const double from = size.width * static_cast<double>(k) / static_cast<double>(map.fields.size());
    script += marks(map) + panel(map, k, from, 80 + legend_height(keys, room), size);
    script += "unset label\nunset arrow\n";  // what belongs to the whole picture is drawn with the first
  }
  return script + "unset multiplot\n";
}

}  // namespace

std::string svg(const ContourMap& map) { return gnuplot(script_of(map, Format::svg), Format::svg); }
std::string png(const ContourMap& map) { return gnuplot(script_of(map, Format::png), Format::png); }

}  // namespace rz::report
