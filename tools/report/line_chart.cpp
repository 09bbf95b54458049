#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "tools/report/chart.h"
#include "tools/report/curves.h"
#include "tools/report/gnuplot.h"
#include "tools/report/legend.h"

namespace rz::report {
namespace {

constexpr Size size{800, 500};
constexpr std::size_t most_labels = 18, most_notes = 4, few_points = 40, many_points = 500;

bool is_thin(const Series& series) { return series.label.empty() && series.error.empty(); }

// How a series looks.
struct Look {
  std::string ink;     // colour
  std::string stroke;  // colour and dash
  std::string dot;     // colour, shape and size
  bool marked = true;  // a line carries dots: they tell it from others in grey, but would pass for measurements
};

std::vector<Look> looks_of(const LineChart& chart) {
  const bool measured =
      std::any_of(chart.series.begin(), chart.series.end(), [](const Series& s) { return !s.error.empty(); });
  std::vector<Look> looks;
  std::size_t labelled = 0;
  for (const Series& series : chart.series) {
    const std::size_t index = series.colour.value_or(labelled);
    labelled += !series.label.empty();
    const bool grey = series.label.empty() && !series.colour;
    const std::string ink = fmt::format("lc rgb '{}'", grey ? "#808080" : colour(index));
    looks.push_back({ink, fmt::format("{} dt {}", ink, 1 + index / colours % 4),
                     fmt::format("{} pt {} ps {}", ink, shape(index), is_thin(series) ? 0.3 : 0.6),
                     !measured && !is_thin(series)});
  }
  return looks;
}

std::vector<Key> keys_of(const LineChart& chart, std::span<const Look> looks) {
  std::vector<Key> keys;
  std::size_t labelled = 0;
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const Series& series = chart.series[i];
    if (series.label.empty() || ++labelled > most_labels) continue;
    if (series.error.empty())
      keys.push_back({series.label, "lw 2.5 " + looks[i].stroke, {}, looks[i].marked ? looks[i].dot : "", {}});
    else
      keys.push_back({series.label, {}, "lw 1.2 " + looks[i].ink, looks[i].dot, {}});
  }
  if (labelled > most_labels) keys.push_back({fmt::format("and {} more", labelled - most_labels)});
  return keys;
}

struct Layout {
  Box plot{80, size.width - 24, 48, size.height - 60};
  bool legend_in_row = true;  // above the plot, else at its right
};

Layout layout_of(std::span<const Key> keys, std::size_t notes) {
  Layout layout;
  Box& plot = layout.plot;
  plot.bottom -= 15.0 * static_cast<double>(notes);
  layout.legend_in_row = fits_in_row(keys, plot.right - plot.left + 20);
  double widest = 0;
  for (const Key& key : keys) widest = std::max(widest, key_width(key.label));
  if (layout.legend_in_row)
    plot.top += legend_height(keys, INFINITY);
  else
    plot.right -= widest;
  return layout;
}

std::string axes(const LineChart& chart, const Box& plot) {
  return margins(plot, size) + fmt::format(
                                   "unset key\n"
                                   "set label {} at {} center noenhanced textcolor rgb '#303030'\n"
                                   "set label {} at {} center rotate by 90 noenhanced textcolor rgb '#303030'\n",
                                   quoted(chart.x_label, 80),
                                   at_pixel((plot.left + plot.right) / 2, plot.bottom + 42, size),
                                   quoted(chart.y_label, 50), at_pixel(18, (plot.top + plot.bottom) / 2, size));
}

// Ticks of a log axis: 1, 2, 5 over at most so many decades, else powers of ten.
std::string log_ticks(char axis, Range range, double fine) {
  const double first = std::floor(std::log10(range.low)), last = std::ceil(std::log10(range.high));
  const double decades = std::log10(range.high) - std::log10(range.low), step = std::max(1.0, std::ceil(decades / 9));
  const bool plain = first >= -5 && last <= 6;
  std::string list;
  for (double power = std::ceil(first / step) * step; power <= last; power += step) {
    for (const int factor : {1, 2, 5}) {
      const double value = factor * std::pow(10.0, power);
      if (value < range.low || value > range.high || (factor > 1 && decades > fine)) continue;
      const std::string label = plain         ? fmt::format("{:g}", value)
                                : factor == 1 ? fmt::format("10^{{{}}}", power)
                                              : fmt::format("{}\u00B710^{{{}}}", factor, power);
      fmt::format_to(std::back_inserter(list), "{}'{}' {}", list.empty() ? "" : ", ", label, value);
    }
  }
  return decades < 0.7 ? fmt::format("set {}tics format '%g'\n", axis)
                       : fmt::format("set {}tics ({}) enhanced\n", axis, list);
}

std::string ranges(std::span<const Curve> curves, Scale scale) {
  const Range x = range_of_x(curves, scale.log_x), y = range_of_y(curves, scale.log_y);
  bool integers = !scale.log_x && x.high - x.low <= 12.5;
  for (const Curve& curve : curves) {
    for (const auto& stretch : curve.stretches)
      integers =
          integers && std::all_of(stretch.begin(), stretch.end(), [](Point p) { return p.x == std::floor(p.x); });
  }
  std::string script = fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n", x.low, x.high, y.low, y.high);
  if (integers) script += "set xtics 1\n";
  if (scale.log_x) script += "set logscale x\n" + log_ticks('x', x, 3.5);
  if (scale.log_y) script += "set logscale y\n" + log_ticks('y', y, 2.2);
  return script;
}

const char* drawable_on(Scale scale) { return scale.log_x || scale.log_y ? "finite and positive" : "finite"; }

// "deep: 3 of 10 values not finite"; the thin lines share one.
std::vector<std::string> notes_on(const LineChart& chart, std::span<const Curve> curves, Scale scale) {
  const double top = range_of_y(curves, scale.log_y).high;
  std::vector<std::string> notes;
  std::size_t thin = 0, thin_gaps = 0, thin_leave = 0;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const Curve& curve = curves[i];
    const std::size_t all = chart.series[i].y.size();
    const bool gaps = curve.points < all, leaves = curve.points > 0 && curve.y.high > top;
    if (is_thin(chart.series[i])) {
      ++thin;
      thin_gaps += gaps;
      thin_leave += leaves;
      continue;
    }
    std::string note;
    if (gaps) note = fmt::format("{} of {} values not {}", all - curve.points, all, drawable_on(scale));
    if (leaves) note += fmt::format("{}leaves the chart, rises to {:.2g}", note.empty() ? "" : "; ", curve.y.high);
    if (!note.empty()) notes.push_back(shortened(chart.series[i].label, key_length) + ": " + note);
  }
  if (thin_gaps > 0)
    notes.push_back(fmt::format("{} of {} thin lines have values not {}", thin_gaps, thin, drawable_on(scale)));
  if (thin_leave > 0) notes.push_back(fmt::format("{} of {} thin lines leave the chart at the top", thin_leave, thin));
  if (notes.size() > most_notes) {
    const std::size_t more = notes.size() - most_notes + 1;
    notes.resize(most_notes - 1);
    notes.push_back(fmt::format("and {} more with values that are not drawn", more));
  }
  return notes;
}

struct Script {
  std::string data, thin_plots, line_plots, dot_plots;  // drawn in this order
};

void add_dots(const Curve& curve, std::size_t index, const Look& look, Range y, Script& script) {
  auto out = std::back_inserter(script.data);
  fmt::format_to(out, "$bars{} << END\n", index);
  for (const auto& stretch : curve.stretches) {
    for (const Point& p : stretch)
      fmt::format_to(out, "{} {} {} {}\n", p.x, p.y, std::max(p.y - p.error, y.low), std::min(p.y + p.error, y.high));
  }
  script.data += "END\n";
  script.dot_plots +=
      fmt::format("$bars{0} using 1:3:(0):($4-$3) with vectors nohead lw 1.2 {1}, $bars{0} using 1:2 with points {2}, ",
                  index, look.ink, look.dot);
}

// Every point of a short line that is marked, eight of a long one, and those without a neighbour.
std::string dots_on(const Curve& curve, std::size_t index, const Look& look) {
  const std::size_t interval = curve.points <= few_points ? 1 : curve.points / 8;
  std::size_t i = index * interval / 3;  // those of several lines apart
  std::string dots;
  for (const auto& stretch : curve.stretches) {
    for (const Point& point : stretch) {
      if (stretch.size() == 1 || (look.marked && i % interval == 0))
        fmt::format_to(std::back_inserter(dots), "{} {}\n", point.x, point.y);
      ++i;
    }
  }
  return dots;
}

// thin: how many thin lines there are, if this is one of them; else 0
void add_line(const Curve& curve, std::size_t index, const Look& look, std::size_t thin, Script& script) {
  auto out = std::back_inserter(script.data);
  fmt::format_to(out, "$line{} << END\n", index);
  for (const auto& stretch : curve.stretches) {
    for (const Point& point : thinned(stretch, thin > 0 ? 100 : 1500)) fmt::format_to(out, "{} {}\n", point.x, point.y);
    script.data += "\n";
  }
  script.data += "END\n";
  std::string& plots = thin > 0 ? script.thin_plots : script.line_plots;
  const double width = thin > 150 ? 0.3 : thin > 0 ? 0.6 : curve.points > many_points ? 1 : 2;
  plots += fmt::format("$line{} using 1:2 with lines lw {} {}, ", index, width, look.stroke);
  const std::string dots = dots_on(curve, index, look);
  if (dots.empty()) return;
  fmt::format_to(out, "$dots{} << END\n{}END\n", index, dots);
  plots += fmt::format("$dots{} using 1:2 with points {}, ", index, look.dot);
}

std::string script_of(const LineChart& chart, Format format) {
  const Scale scale{chart.log_x, wants_log(chart)};
  std::vector<Curve> curves;
  for (const Series& series : chart.series) curves.push_back(curve_of(series, scale));
  const std::vector<std::string> notes = notes_on(chart, curves, scale);
  const std::vector<Look> looks = looks_of(chart);
  const std::vector<Key> keys = keys_of(chart, looks);
  const auto [plot, in_row] = layout_of(keys, notes.size());
  std::string script =
      picture(size, chart.title, format) + axes(chart, plot) +
      legend(keys, in_row ? plot.left : plot.right + 20, in_row ? 50 : plot.top + 8, in_row ? INFINITY : 0, size) +
      ranges(curves, scale);
  double note_y = size.height - 10 - 15.0 * static_cast<double>(notes.size());
  for (const std::string& note : notes)
    script += fmt::format("set label {} at {} left noenhanced font 'sans-serif,11' textcolor rgb '#606060'\n",
                          quoted(note, 110), at_pixel(plot.left, note_y += 15, size));
  Script drawn;
  const Range y = range_of_y(curves, scale.log_y);
  const auto thin = static_cast<std::size_t>(std::count_if(chart.series.begin(), chart.series.end(), is_thin));
  bool empty = true;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    if (curves[i].points == 0) continue;
    empty = false;
    if (chart.series[i].error.empty())
      add_line(curves[i], i, looks[i], is_thin(chart.series[i]) ? thin : 0, drawn);
    else
      add_dots(curves[i], i, looks[i], y, drawn);
  }
  if (empty)
    script += "set label 'nothing to draw' at graph 0.5, graph 0.5 center textcolor rgb '#606060'\nset format ''\n";
  return script + drawn.data + "plot " + drawn.thin_plots + drawn.line_plots + drawn.dot_plots + "NaN\n";
}

}  // namespace

std::string svg(const LineChart& chart) { return gnuplot(script_of(chart, Format::svg), Format::svg); }
std::string png(const LineChart& chart) { return gnuplot(script_of(chart, Format::png), Format::png); }

}  // namespace rz::report
