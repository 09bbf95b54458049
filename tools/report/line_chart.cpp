#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "tools/report/chart.h"
#include "tools/report/curves.h"
#include "tools/report/gnuplot.h"

namespace rz::report {
namespace {

constexpr int width = 800, height = 500;  // pixels
constexpr std::size_t label_length = 36, most_labels = 18, most_notes = 4, few_points = 40, many_points = 500;
constexpr double legend_entry = 50;  // pixels beside the text

// Where things are, in pixels from the left and the top.
struct Layout {
  bool legend_in_row = true;  // above the plot, else at its right
  double left = 80, right = width - 24, top = 48, bottom = height - 60;
};

double text_width(const std::string& label) {
  return 7.5 * static_cast<double>(std::min(characters(label), label_length));
}

Layout layout_of(const LineChart& chart, std::size_t notes) {
  Layout layout;
  layout.bottom -= 15.0 * static_cast<double>(notes);
  double row = 0, longest = 0;
  for (const Series& series : chart.series) {
    row += legend_entry + text_width(series.label);
    longest = std::max(longest, text_width(series.label));
  }
  layout.legend_in_row = row <= layout.right - layout.left + 20;
  if (layout.legend_in_row)
    layout.top += row > 0 ? 22 : 0;
  else
    layout.right -= longest + legend_entry;
  return layout;
}

std::string style_of(std::size_t index) {
  return fmt::format("lc rgb '{}' dt {}", colour(index), 1 + index / colours % 4);
}

// gnuplot's own legend would guess the widths of texts and break lines by them.
std::string legend(const LineChart& chart, const Layout& at) {
  std::string script;
  double x = at.legend_in_row ? at.left : at.right + 20, y = at.legend_in_row ? 50 : at.top + 8;
  const auto text = [&](std::string_view label) {
    script += fmt::format("set label {} at screen {}, screen {} left noenhanced textcolor rgb '#303030'\n",
                          quoted(label, label_length), (x + 28) / width, 1 - y / height);
  };
  for (std::size_t i = 0; i < chart.series.size() && i < most_labels; ++i) {
    const std::string& label = chart.series[i].label;
    if (label.empty()) continue;
    script += fmt::format("set arrow from screen {}, screen {} to screen {}, screen {} nohead lw 2.5 {}\n", x / width,
                          1 - y / height, (x + 22) / width, 1 - y / height, style_of(i));
    text(label);
    if (at.legend_in_row)
      x += legend_entry + text_width(label);
    else
      y += 19;
  }
  if (chart.series.size() > most_labels) text(fmt::format("and {} more", chart.series.size() - most_labels));
  return script;
}

std::string axes(const LineChart& chart, const Layout& at) {
  return fmt::format(
      "set lmargin at screen {}\nset rmargin at screen {}\nset tmargin at screen {}\nset bmargin at screen {}\nunset "
      "key\n"
      "set label {} at screen {}, screen {} center noenhanced textcolor rgb '#303030'\n"
      "set label {} at screen {}, screen {} center rotate by 90 noenhanced textcolor rgb '#303030'\n",
      at.left / width, at.right / width, 1 - at.top / height, 1 - at.bottom / height, quoted(chart.x_label, 80),
      (at.left + at.right) / 2 / width, 1 - (at.bottom + 42) / height, quoted(chart.y_label, 50), 18.0 / width,
      1 - (at.top + at.bottom) / 2 / height);
}

// Ticks of a log axis: 1, 2, 5 over at most two decades, else powers of ten.
std::string log_ticks(Range y) {
  const double first = std::floor(std::log10(y.low)), last = std::ceil(std::log10(y.high));
  const double decades = std::log10(y.high) - std::log10(y.low), step = std::max(1.0, std::ceil(decades / 9));
  const bool plain = first >= -5 && last <= 6;
  std::string list;
  for (double power = std::ceil(first / step) * step; power <= last; power += step) {
    for (const int factor : {1, 2, 5}) {
      const double value = factor * std::pow(10.0, power);
      if (value < y.low || value > y.high || (factor > 1 && decades > 2.2)) continue;
      const std::string label = plain         ? fmt::format("{:g}", value)
                                : factor == 1 ? fmt::format("10^{{{}}}", power)
                                              : fmt::format("{}\u00B710^{{{}}}", factor, power);
      fmt::format_to(std::back_inserter(list), "{}'{}' {}", list.empty() ? "" : ", ", label, value);
    }
  }
  return decades < 0.7 ? "set ytics format '%g'\n" : fmt::format("set ytics ({}) enhanced\n", list);
}

std::string ranges(std::span<const Curve> curves, bool logarithmic) {
  const Range x = range_of_x(curves), y = range_of_y(curves, logarithmic);
  bool integers = x.high - x.low <= 12;
  for (const Curve& curve : curves) {
    for (const auto& stretch : curve.stretches)
      integers =
          integers && std::all_of(stretch.begin(), stretch.end(), [](Point p) { return p.x == std::floor(p.x); });
  }
  const double margin = 0.015 * (x.high - x.low);
  std::string script =
      fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n", x.low - margin, x.high + margin, y.low, y.high);
  if (integers) script += "set xtics 1\n";
  if (logarithmic) script += "set logscale y\n" + log_ticks(y);
  return script;
}

// "deep: 3 of 10 values are not finite"
std::vector<std::string> notes_on(const LineChart& chart, std::span<const Curve> curves, bool logarithmic) {
  const double top = range_of_y(curves, logarithmic).high;
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const Curve& curve = curves[i];
    const std::size_t all = chart.series[i].y.size();
    std::string note;
    if (curve.points < all)
      note = fmt::format("{} of {} values not {}", all - curve.points, all,
                         logarithmic ? "finite and positive" : "finite");
    if (curve.points > 0 && curve.y.high > top)
      note += fmt::format("{}leaves the chart, rises to {:.2g}", note.empty() ? "" : "; ", curve.y.high);
    if (!note.empty()) notes.push_back(shortened(chart.series[i].label, label_length) + ": " + note);
  }
  if (notes.size() > most_notes) {
    const std::size_t more = notes.size() - most_notes + 1;
    notes.resize(most_notes - 1);
    notes.push_back(fmt::format("and {} more with values that are not drawn", more));
  }
  return notes;
}

// The data of a curve as two blocks, its stretches as lines and what needs a dot, and what plots them.
void add_curve(const Curve& curve, std::size_t index, std::string& data, std::string& plots) {
  auto out = std::back_inserter(data);
  std::string dots;
  fmt::format_to(out, "$line{} << END\n", index);
  for (const auto& stretch : curve.stretches) {
    for (const Point& point : thinned(stretch)) fmt::format_to(out, "{} {}\n", point.x, point.y);
    data += "\n";
    if (stretch.size() > 1 && curve.points > few_points) continue;
    for (const Point& point : stretch) fmt::format_to(std::back_inserter(dots), "{} {}\n", point.x, point.y);
  }
  data += "END\n";
  if (curve.points == 0) return;
  const std::string style = style_of(index);
  plots += fmt::format("$line{} using 1:2 with lines lw {} {}, ", index, curve.points > many_points ? 1 : 2, style);
  if (dots.empty()) return;
  fmt::format_to(out, "$dots{} << END\n{}END\n", index, dots);
  plots += fmt::format("$dots{} using 1:2 with points pt 7 ps 0.45 {}, ", index, style);
}

}  // namespace

std::string svg(const LineChart& chart) {
  const bool logarithmic = wants_log(chart);
  std::vector<Curve> curves;
  for (const Series& series : chart.series) curves.push_back(curve_of(series, logarithmic));
  const std::vector<std::string> notes = notes_on(chart, curves, logarithmic);
  const Layout layout = layout_of(chart, notes.size());
  std::string script =
      picture(width, height, chart.title) + axes(chart, layout) + legend(chart, layout) + ranges(curves, logarithmic);
  double note_y = height - 10 - 15.0 * static_cast<double>(notes.size());
  for (const std::string& note : notes)
    script += fmt::format(
        "set label {} at screen {}, screen {} left noenhanced font 'sans-serif,11' textcolor rgb '#606060'\n",
        quoted(note, 110), layout.left / width, 1 - (note_y += 15) / height);

  std::string data, plots;
  for (std::size_t i = 0; i < curves.size(); ++i) add_curve(curves[i], i, data, plots);
  if (std::all_of(curves.begin(), curves.end(), [](const Curve& curve) { return curve.points == 0; }))
    script += "set label 'nothing to draw' at graph 0.5, graph 0.5 center textcolor rgb '#606060'\nset format ''\n";
  return gnuplot(script + data + "plot " + plots + "NaN\n");
}

}  // namespace rz::report
