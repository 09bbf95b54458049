#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

#include "tools/report/bins.h"
#include "tools/report/chart.h"
#include "tools/report/gnuplot.h"
#include "tools/report/legend.h"

namespace rz::report {
namespace {

constexpr double top = 44, bottom = 50, header = 26, gap = 10;  // margins in pixels
constexpr double left = 92, right = 24, width = 800, zeros_width = 84;
constexpr double cut = 4;  // the bar of zeros is cut above so many times the height of everything else
constexpr const char* ink = "lc rgb '#101010'";
constexpr const char* shade = "fc rgb '#DCDCDC' fs solid 1 noborder";

// Where things are along x, in the unit of the axis.
struct Axis {
  Range x;            // of the values
  double low, zeros;  // left end of the picture, centre of the bar of exact zeros
};

Axis axis_of(const Histogram& histogram, const Bins& bins) {
  const bool zeros = std::any_of(histogram.panels.begin(), histogram.panels.end(), has_zeros);
  const double room = width - left - right;
  const double extra = zeros ? (bins.x.high - bins.x.low) * zeros_width / (room - zeros_width) : 0;
  return {bins.x, bins.x.low - extra, bins.x.low - 0.65 * extra};
}

bool has_curve(const Panel& panel) { return !panel.theory.x.empty(); }
bool has_atoms(const Panel& panel) { return !panel.atoms.x.empty(); }

std::vector<Key> keys_of(const Histogram& histogram, const Bins& bins) {
  std::vector<Key> keys;
  const auto& panels = histogram.panels;
  const auto shaded = [&](const Panel& panel) { return panel.floor && *panel.floor > bins.x.low; };
  const auto named = [](const Series& series, const char* name) { return series.label.empty() ? name : series.label; };
  if (const auto p = std::find_if(panels.begin(), panels.end(), has_curve); p != panels.end())
    keys.push_back({.label = named(p->theory, "theory"), .line = fmt::format("lw 2 {}", ink)});
  if (const auto p = std::find_if(panels.begin(), panels.end(), has_atoms); p != panels.end())
    keys.push_back({.label = named(p->atoms, "theory: atoms"),
                    .stem = fmt::format("lw 1.5 {}", ink),
                    .point = fmt::format("pt 7 ps 0.7 {}", ink)});
  if (std::any_of(panels.begin(), panels.end(), shaded)) keys.push_back({.label = "below the floor", .box = shade});
  return keys;
}

double zeros_in_theory(const Panel& panel) {
  double mass = 0;
  for (std::size_t i = 0; i < panel.atoms.x.size(); ++i) mass += panel.atoms.x[i] == -INFINITY ? panel.atoms.y[i] : 0;
  return mass;
}

// Height of the axis: of the bars, of atoms, and of a curve that rises little further.
double height_of(const Panel& panel, const Bars& bars, std::span<const Point> expected) {
  double highest = 0, curve = 0;
  for (const auto& [centre, fraction] : bars.fractions) highest = std::max(highest, fraction);
  for (std::size_t i = 0; i < panel.atoms.x.size(); ++i) {
    if (std::isfinite(panel.atoms.x[i]) && std::isfinite(panel.atoms.y[i]))
      highest = std::max(highest, panel.atoms.y[i]);
  }
  for (const Point& point : expected) curve = std::max(curve, std::isfinite(point.y) ? point.y : 0);
  highest = std::max(highest, highest > 0 ? std::min(curve, 1.5 * highest) : curve);
  const double zeros = std::max(bars.zeros, zeros_in_theory(panel));
  if (highest == 0 || zeros <= cut * highest) highest = std::max(highest, zeros);
  return highest > 0 ? highest : 1;
}

// "0.5 (0.51)": the fraction and in brackets the theory's, below each other.
std::string number_at_zeros(const Panel& panel, const Bars& bars) {
  const double mass = zeros_in_theory(panel);
  return fmt::format("{:.2g}", bars.zeros) + (mass > 0 ? fmt::format("\\n({:.2g})", mass) : "");
}

// The shaded zone, the marks and the number at the bar of zeros.
std::string behind(const Panel& panel, const Bars& bars, const Bins& bins, const Axis& axis, double highest) {
  std::string script;
  if (panel.floor && *panel.floor > axis.x.low)
    script += fmt::format("set object rectangle from {}, graph 0 to {}, graph 1 behind {}\n", axis.x.low,
                          std::min(*panel.floor, axis.x.high), shade);
  if (axis.low < axis.x.low)
    script +=
        fmt::format("set arrow from {0}, graph 0 to {0}, graph 1 nohead back lw 0.8 lc rgb '#606060'\n", axis.x.low);
  if (has_zeros(panel))
    script += fmt::format("set label \"{}\" at {}, graph 0.88 left font 'sans-serif,11' textcolor rgb '#303030'\n",
                          number_at_zeros(panel, bars), axis.zeros + 0.8 * bins.step);
  if (bars.zeros > 1.1 * highest)  // the bar is cut
    script += fmt::format("set arrow from {}, graph 0.76 to {}, graph 0.84 nohead front lw 4 lc rgb 'white'\n",
                          axis.zeros - 0.6 * bins.step, axis.zeros + 0.6 * bins.step);
  return script;
}

std::string theory(const Panel& panel, std::span<const Point> expected, const Axis& axis, double highest,
                   std::size_t index) {
  if (!has_curve(panel) && !has_atoms(panel)) return "";
  std::string data = fmt::format("$curve{} << END\n", index);
  auto out = std::back_inserter(data);
  for (const Point& point : expected) {
    const bool noise = panel.floor && point.x < *panel.floor;
    if (!noise && point.y > 2e-3 * highest)
      fmt::format_to(out, "{} {}\n", point.x, std::min(point.y, 10 * highest));
    else
      data += "\n";  // it would only thicken the axis, or stand beside noise
  }
  fmt::format_to(out, "END\n$atoms{} << END\n", index);
  for (std::size_t i = 0; i < panel.atoms.x.size(); ++i) {
    const double x = panel.atoms.x[i] == -INFINITY ? axis.zeros : panel.atoms.x[i];
    if (std::isfinite(x) && std::isfinite(panel.atoms.y[i])) fmt::format_to(out, "{} {}\n", x, panel.atoms.y[i]);
  }
  return data + "END\n";
}

std::string theory_plots(const Panel& panel, std::size_t index) {
  std::string plots;
  if (has_curve(panel))  // on a white one: bars may be as dark
    plots +=
        fmt::format(", $curve{0} using 1:2 with lines lw 3.5 lc rgb 'white', $curve{0} using 1:2 with lines lw 1.5 {1}",
                    index, ink);
  if (has_atoms(panel))
    plots += fmt::format(
        ", $atoms{0} using 1:2 with impulses lw 1.5 {1}, $atoms{0} using 1:2 with points pt 7 ps 0.7 {1}", index, ink);
  return plots;
}

// One panel between the heights `from` and `to` (pixels from the top), its header included.
std::string panel_script(const Panel& panel, const Bins& bins, const Axis& axis, std::optional<double> mark,
                         std::size_t index, double from, double to, Size size) {
  const Bars bars = bars_of(panel, bins);
  const std::vector<Point> expected = expected_bars(panel.theory, bins);
  const double highest = height_of(panel, bars, expected), text_y = from + header - 10;
  std::string script = margins({left, width - right, from + header, to - gap}, size);
  script += fmt::format(
      "set yrange [0:{}]\nset ytics {}\n"
      "set label {} at {} left noenhanced textcolor rgb '#101010'\n"
      "set label {} at {} right noenhanced font 'sans-serif,12' textcolor rgb '#505050'\n",
      1.1 * highest, round_step(highest / 2.5), quoted(panel.label, 60), at_pixel(left, text_y, size),
      quoted(bars.note, 48), at_pixel(width - right, text_y, size));
  if (bars.fractions.empty() && bars.zeros == 0 && !has_curve(panel) && !has_atoms(panel))
    script += "set label 'no values to draw' at graph 0.5, graph 0.5 center textcolor rgb '#606060'\n";
  else if (mark)
    script += fmt::format("set arrow from {0}, graph 0 to {0}, graph 1 nohead back dt 2 lc rgb '#808080'\n", *mark);
  script += behind(panel, bars, bins, axis, highest) + fmt::format("$bars{} << END\n", index);
  for (const auto& [centre, fraction] : bars.fractions)
    fmt::format_to(std::back_inserter(script), "{} {}\n", centre, fraction);
  if (bars.zeros > 0) fmt::format_to(std::back_inserter(script), "{} {}\n", axis.zeros, bars.zeros);
  script += "NaN NaN\nEND\n" + theory(panel, expected, axis, highest, index);
  script += fmt::format("plot $bars{} using 1:2 with boxes lc rgb '{}' lw 0.3 fill solid 1 border{}\n", index,
                        colour(index), theory_plots(panel, index));
  return script + "unset label\nunset arrow\nunset object\n";
}

// Round numbers along the values' part, and the zeros'; only the last panel shows them.
std::string x_ticks(const Axis& axis, bool shown) {
  if (axis.low == axis.x.low) return fmt::format("set xtics format '{}'\n", shown ? "%g" : "");
  const double step = round_step((axis.x.high - axis.x.low) / 8);
  std::string list = fmt::format("'{}' {}", shown ? "exact zeros" : "", axis.zeros);
  for (double k = std::ceil(axis.x.low / step); k * step <= axis.x.high; ++k)
    fmt::format_to(std::back_inserter(list), ", {}", k * step);
  return fmt::format("set xtics ({}) format '{}'\n", list, shown ? "%g" : "");
}

std::string script_of(const Histogram& histogram, Format format) {
  const std::vector<Panel> panels = histogram.panels.empty() ? std::vector<Panel>(1) : histogram.panels;
  const Bins bins = bins_of(histogram);
  const Axis axis = axis_of(histogram, bins);
  const std::vector<Key> keys = keys_of(histogram, bins);
  const double room = width - left, first = top + legend_height(keys, room), n = static_cast<double>(panels.size());
  const Size size{width, std::max(500.0, first + bottom + 125 * n)};
  const double each = (size.height - first - bottom) / n;
  std::string script = picture(size, histogram.title, format) + legend(keys, left, 50, room, size);
  script += fmt::format(
      "set multiplot\nset xrange [{}:{}]\nset boxwidth {} absolute\nunset key\n"
      "set label {} at {} center noenhanced textcolor rgb '#303030'\n"
      "set label 'fraction of the values' at {} center rotate by 90 textcolor rgb '#303030'\n"
      "{}",
      axis.low, bins.x.high, bins.step, quoted(histogram.x_label, 80),
      at_pixel((left + width - right) / 2, size.height - 14, size), at_pixel(18, size.height / 2, size),
      x_ticks(axis, false));
  for (std::size_t i = 0; i < panels.size(); ++i) {
    if (i + 1 == panels.size()) script += x_ticks(axis, true);
    const double from = first + each * static_cast<double>(i);
    script += panel_script(panels[i], bins, axis, histogram.mark, i, from, from + each, size);
  }
  return script + "unset multiplot\n";
}

}  // namespace

std::string svg(const Histogram& histogram) { return gnuplot(script_of(histogram, Format::svg), Format::svg); }
std::string png(const Histogram& histogram) { return gnuplot(script_of(histogram, Format::png), Format::png); }

}  // namespace rz::report
