#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include "core/error.h"
#include "tools/report/chart.h"
#include "tools/report/curves.h"
#include "tools/report/gnuplot.h"

namespace rz::report {
namespace {

constexpr double left = 92, right = 24, top = 44, bottom = 50, header = 26, gap = 10;  // margins in pixels
constexpr int width = 800;

struct Bins {
  double origin = 0, step = 1;  // bin k is centred at origin + k step
  Range x;                      // of the axis
  double centre_of(double value) const { return origin + std::round((value - origin) / step) * step; }
};

Bins bins_of(const Histogram& histogram) {
  RZ_CHECK(value, histogram.bins > 0, "chart: a histogram needs at least 1 bin, not {}", histogram.bins);
  Range x;
  for (const Panel& panel : histogram.panels) {
    for (const double value : panel.values) {
      if (std::isfinite(value)) x.include(value);
    }
  }
  if (x.empty()) x = {0, 0};
  Bins bins;
  if (histogram.mark) x.include(*histogram.mark);
  const double middle = 0.5 * x.low + 0.5 * x.high;
  if (x.high - x.low <= std::max(histogram.resolution, 1e-9 * std::abs(middle))) {  // all the same: one bar
    const double half = std::max(0.5, 0.1 * std::abs(middle));
    bins.origin = histogram.mark.value_or(middle);
    bins.step = 2 * half / histogram.bins;
    bins.x = {middle - half, middle + half};
    return bins;
  }
  bins.step = (x.high - x.low) / histogram.bins;
  bins.x = {x.low - 1.5 * bins.step, x.high + 1.5 * bins.step};
  return bins;
}

// Fractions by the centre of the bin, and a note on what is not drawn.
struct Bars {
  std::map<double, double> fractions;
  std::string note;
};

Bars bars_of(const Panel& panel, const Bins& bins) {
  RZ_CHECK(value, panel.weights.empty() || panel.weights.size() == panel.values.size(),
           "chart: panel \"{}\" has {} values but {} weights, one for each is needed", panel.label, panel.values.size(),
           panel.weights.size());
  Bars bars{{}, panel.note};
  double total = 0;
  std::size_t not_finite = 0;
  for (std::size_t i = 0; i < panel.values.size(); ++i) {
    const double weight = panel.weights.empty() ? 1 : panel.weights[i];
    total += weight;
    if (std::isfinite(panel.values[i]))
      bars.fractions[bins.centre_of(panel.values[i])] += weight;
    else
      ++not_finite;
  }
  if (panel.total > 0) total = panel.total;
  for (auto& [centre, fraction] : bars.fractions) fraction = total > 0 ? fraction / total : 0;
  if (not_finite > 0) bars.note += fmt::format("{}{} not finite", bars.note.empty() ? "" : ", ", not_finite);
  return bars;
}

// One panel between the heights `from` and `to` (pixels from the top), its header included.
std::string panel_script(const Panel& panel, const Bars& bars, std::optional<double> mark, std::size_t index,
                         double from, double to, int height) {
  double highest = 0;
  std::string data = fmt::format("$bars{} << END\n", index);
  for (const auto& [centre, fraction] : bars.fractions) {
    highest = std::max(highest, fraction);
    fmt::format_to(std::back_inserter(data), "{} {}\n", centre, fraction);
  }
  data += "END\n";
  if (highest == 0) highest = 1;
  const double text_y = 1 - (from + header - 10) / height;
  std::string script = fmt::format(
      "set tmargin at screen {}\nset bmargin at screen {}\nset yrange [0:{}]\nset ytics {}\n"
      "set label {} at screen {}, screen {} left noenhanced textcolor rgb '#101010'\n"
      "set label {} at screen {}, screen {} right noenhanced font 'sans-serif,12' textcolor rgb '#505050'\n",
      1 - (from + header) / height, 1 - (to - gap) / height, 1.1 * highest, round_step(highest / 2.5),
      quoted(panel.label, 60), left / width, text_y, quoted(bars.note, 48), 1 - right / width, text_y);
  if (bars.fractions.empty()) {
    script += "set label 'no values to draw' at graph 0.5, graph 0.5 center textcolor rgb '#606060'\nplot NaN\n";
  } else {
    if (mark)
      script += fmt::format("set arrow from {0}, graph 0 to {0}, graph 1 nohead back dt 2 lc rgb '#808080'\n", *mark);
    script += data;
    script +=
        fmt::format("plot $bars{} using 1:2 with boxes lc rgb '{}' lw 0.3 fill solid 1 border\n", index, colour(index));
  }
  return script + "unset label\nunset arrow\n";
}

}  // namespace

std::string svg(const Histogram& histogram) {
  const std::size_t panels = std::max<std::size_t>(1, histogram.panels.size());
  const int height = std::max(500, static_cast<int>(top + bottom) + 125 * static_cast<int>(panels));
  const double each = (height - top - bottom) / static_cast<double>(panels);
  const Bins bins = bins_of(histogram);
  std::string script = picture(width, height, histogram.title);
  script += fmt::format(
      "set multiplot\nset lmargin at screen {}\nset rmargin at screen {}\nset xrange [{}:{}]\nset boxwidth {} "
      "absolute\nunset key\n"
      "set label {} at screen {}, screen {} center noenhanced textcolor rgb '#303030'\n"
      "set label 'fraction of the values' at screen {}, screen 0.5 center rotate by 90 textcolor rgb '#303030'\n"
      "set xtics format ''\n",
      left / width, 1 - right / width, bins.x.low, bins.x.high, bins.step, quoted(histogram.x_label, 80),
      (left + width - right) / 2 / width, 20.0 / height, 18.0 / width);
  for (std::size_t i = 0; i < panels; ++i) {
    const Panel panel = histogram.panels.empty() ? Panel{} : histogram.panels[i];
    if (i + 1 == panels) script += "set xtics format '%g'\n";
    const double from = top + each * static_cast<double>(i);
    script += panel_script(panel, bars_of(panel, bins), histogram.mark, i, from, from + each, height);
  }
  return gnuplot(script + "unset multiplot\n");
}

}  // namespace rz::report
