#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "core/error.h"
#include "tools/report/chart.h"
#include "tools/report/gnuplot.h"

namespace rz::report {
namespace {

constexpr int width = 1000, height = 500;  // pixels
constexpr int levels = 14;                 // contour lines

void check(const ContourMap& map) {
  RZ_CHECK(value, map.columns >= 2 && map.rows >= 2,
           "contour map: {} x {} points were given, at least 2 x 2 are needed", map.rows, map.columns);
  RZ_CHECK(value, !map.fields.empty() && map.fields.size() <= 2,
           "contour map: {} fields were given, but it has room for 1 or 2", map.fields.size());
  for (const ContourMap::Field& field : map.fields)
    RZ_CHECK(value, field.values.size() == map.rows * map.columns, "contour map: {} has {} values for {} x {} points",
             field.label, field.values.size(), map.rows, map.columns);
  for (const Series& path : map.paths)
    RZ_CHECK(value, path.x.size() == path.y.size(), "contour map: path {} has {} x and {} y", path.label, path.x.size(),
             path.y.size());
}

double at(double low, double high, std::size_t i, std::size_t n) {
  return low + (high - low) * static_cast<double>(i) / static_cast<double>(n - 1);
}

// x y value, a block per row: for images and for contours.
std::string grid(const ContourMap& map, std::size_t index) {
  std::string data = fmt::format("$grid{} << END\n", index);
  auto out = std::back_inserter(data);
  for (std::size_t r = 0; r < map.rows; ++r) {
    for (std::size_t c = 0; c < map.columns; ++c) {
      const double value = map.fields[index].values[r * map.columns + c];
      fmt::format_to(out, "{} {} {}\n", at(map.x_low, map.x_high, c, map.columns),
                     at(map.y_low, map.y_high, r, map.rows), std::isfinite(value) ? value : NAN);
    }
    data += "\n";
  }
  return data + "END\n";
}

std::string paths(const ContourMap& map) {
  std::string data;
  auto out = std::back_inserter(data);
  for (std::size_t k = 0; k < map.paths.size(); ++k) {
    fmt::format_to(out, "$path{} << END\n", k);
    for (std::size_t i = 0; i < map.paths[k].x.size(); ++i)
      fmt::format_to(out, "{} {}\n", map.paths[k].x[i], map.paths[k].y[i]);
    fmt::format_to(out, "END\n$end{} << END\n", k);
    if (!map.paths[k].x.empty()) fmt::format_to(out, "{} {}\n", map.paths[k].x.back(), map.paths[k].y.back());
    data += "END\n";
  }
  return data;
}

std::string panel(const ContourMap& map, std::size_t index) {
  const double share = 1.0 / static_cast<double>(map.fields.size()), left = share * static_cast<double>(index);
  std::string script = fmt::format(
      "set lmargin at screen {}\nset rmargin at screen {}\nset tmargin at screen 0.84\nset bmargin at screen 0.13\n"
      "set label 2 {} at screen {}, screen 0.88 left noenhanced textcolor rgb '#303030'\n"
      "set xlabel {} noenhanced\nset ylabel {} noenhanced offset 1,0\n",
      left + 0.07, left + share - 0.1, quoted(map.fields[index].label, 60), left + 0.07, quoted(map.x_label, 40),
      quoted(map.y_label, 40));
  script += fmt::format(
      "plot $grid{} using 1:2:3 with image notitle, $lines{} using 1:2 with lines lw 0.7 lc rgb '#404040' notitle",
      index, index);
  for (std::size_t k = 0; k < map.paths.size(); ++k)
    script += fmt::format(
        ", $path{} using 1:2 with lines lw 2 lc rgb 'white' notitle, $path{} using 1:2 with lines lw 1.2 lc rgb "
        "'#D55E00' notitle, $end{} using 1:2 with points pt 7 ps 0.8 lc rgb '#D55E00' notitle",
        k, k, k);
  return script + "\n";
}

std::string script_of(const ContourMap& map, Format format) {
  check(map);
  std::string script = picture(width, height, map.title, format) + paths(map);
  script +=
      "unset key\nunset grid\nset border 15\nset tics out\nset palette defined (0 '#FFFFFF', 0.25 '#D9E8F5', 0.5 "
      "'#9CC3E0', 0.75 '#4F8FC0', 1 '#1F4E79')\n";
  for (std::size_t k = 0; k < map.fields.size(); ++k) {
    script += grid(map, k);
    script += fmt::format(
        "set contour base\nunset surface\nset cntrparam levels {}\nset table $lines{}\nsplot $grid{} using 1:2:3\n"
        "unset table\nunset contour\nset surface\n",
        levels, k, k);
  }
  script += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\nset multiplot\n", map.x_low, map.x_high, map.y_low,
                        map.y_high);
  for (std::size_t k = 0; k < map.fields.size(); ++k) {
    script += panel(map, k);
    script += "unset label 1\n";
  }
  return script + "unset multiplot\n";
}

}  // namespace

std::string svg(const ContourMap& map) { return gnuplot(script_of(map, Format::svg), Format::svg); }
std::string png(const ContourMap& map) { return gnuplot(script_of(map, Format::png), Format::png); }

}  // namespace rz::report
