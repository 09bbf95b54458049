#include "tools/report/line_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace rz::report {
namespace {

constexpr std::size_t most_labels = 18, most_notes = 4, few_points = 40, many_points = 500;
constexpr double note_step = 15;  // pixels

bool has_dots(const Series& series) { return series.stems || !series.error.empty(); }
bool is_thin(const Series& series) { return series.label.empty() && !has_dots(series); }
bool has_bars(const Series& series) {
  return series.stems || std::any_of(series.error.begin(), series.error.end(), [](double e) { return e != 0; });
}

std::vector<Look> looks_of(const LineChart& chart) {
  const bool marked = chart.marked && std::none_of(chart.series.begin(), chart.series.end(), has_dots);
  std::vector<Look> looks;
  std::size_t labelled = 0;
  for (const Series& series : chart.series) {
    const std::size_t index = series.colour.value_or(labelled);
    labelled += !series.label.empty();
    const bool grey = series.label.empty() && !series.colour;
    const std::string ink = fmt::format("lc rgb '{}'", grey ? "#808080" : colour(index));
    looks.push_back({ink, fmt::format("{} dt {}", ink, 1 + index / colours % 4),
                     fmt::format("{} pt {} ps {}", ink, shape(index), is_thin(series) ? 0.3 : 0.6),
                     marked && !is_thin(series)});
  }
  return looks;
}

// Ticks of a log axis: 1, 2, 5 over at most so many decades, else powers of ten.
std::string log_ticks(char axis, Range range, double fine) {
  const double first = std::floor(std::log10(range.low)), last = std::ceil(std::log10(range.high));
  const double decades = std::log10(range.high) - std::log10(range.low), step = std::max(1.0, std::ceil(decades / 9));
  const bool plain = first >= -5 && last <= 6;
  std::string list;
  if (decades < 0.7) {  // as on a linear axis
    const double width = round_step((range.high - range.low) / 5);
    for (double k = std::ceil(range.low / width); k * width <= range.high; ++k)
      fmt::format_to(std::back_inserter(list), "{}{}", list.empty() ? "" : ", ", k * width);
    return fmt::format("set {}tics ({}) format '%g'\n", axis, list);
  }
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
  return fmt::format("set {}tics ({}) enhanced\n", axis, list);
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

// With the error's bar, or a stem from 0.
void add_dots(const Curve& curve, std::size_t index, const Look& look, bool stems, Range y, Script& script) {
  auto out = std::back_inserter(script.data);
  fmt::format_to(out, "$bars{} << END\n", index);
  for (const auto& stretch : curve.stretches) {
    for (const Point& p : stretch)
      fmt::format_to(out, "{} {} {} {}\n", p.x, p.y, stems ? 0 : std::max(p.y - p.error, y.low),
                     std::min(p.y + p.error, y.high));
  }
  script.data += "END\n";
  script.dot_plots +=
      fmt::format("$bars{0} using 1:3:(0):($4-$3) with vectors nohead lw {1} {2}, $bars{0} using 1:2 with points {3}, ",
                  index, stems ? 2 : 1.2, look.ink, look.dot);
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

// Ends of the plot: nothing that was set for it is left to the next.
constexpr const char* reset =
    "unset label\nunset arrow\nunset object\nunset logscale\nset tics autofreq\nset format '%g'\n";

}  // namespace

LinePlot::LinePlot(const LineChart& chart)
    : chart_(chart), scale_{chart.log_x, wants_log(chart)}, looks_(looks_of(chart)) {
  for (const Series& series : chart.series) curves_.push_back(curve_of(series, scale_));
  notes_ = notes_on(chart, curves_, scale_);
}

std::vector<Key> LinePlot::keys() const {
  std::vector<Key> keys;
  std::size_t labelled = 0;
  for (std::size_t i = 0; i < chart_.series.size(); ++i) {
    const Series& series = chart_.series[i];
    const Look& look = looks_[i];
    if (series.label.empty() || ++labelled > most_labels) continue;
    if (has_dots(series))
      keys.push_back({series.label, {}, has_bars(series) ? "lw 1.2 " + look.ink : "", look.dot, {}});
    else
      keys.push_back({series.label, "lw 2.5 " + look.stroke, {}, look.marked ? look.dot : "", {}});
  }
  if (labelled > most_labels) keys.push_back({fmt::format("and {} more", labelled - most_labels)});
  return keys;
}

double LinePlot::height_of_notes() const { return note_step * static_cast<double>(notes_.size()); }

std::string LinePlot::labels(const Box& plot, Size size) const {
  std::string script = fmt::format(
      "set label {} at {} center noenhanced textcolor rgb '#303030'\n"
      "set label {} at {} center rotate by 90 noenhanced textcolor rgb '#303030'\n",
      quoted(chart_.x_label, 80), at_pixel((plot.left + plot.right) / 2, plot.bottom + 42, size),
      quoted(chart_.y_label, 50), at_pixel(plot.left - 62, (plot.top + plot.bottom) / 2, size));
  double y = plot.bottom + 50;
  for (const std::string& note : notes_)
    script += fmt::format("set label {} at {} left noenhanced font 'sans-serif,11' textcolor rgb '#606060'\n",
                          quoted(note, 110), at_pixel(plot.left, y += note_step, size));
  return script;
}

std::string LinePlot::script(const Box& plot, Size size) const {
  std::string script = margins(plot, size) + "unset key\n" + labels(plot, size) + ranges(curves_, scale_);
  Script drawn;
  const Range y = range_of_y(curves_, scale_.log_y);
  const auto thin = static_cast<std::size_t>(std::count_if(chart_.series.begin(), chart_.series.end(), is_thin));
  bool empty = true;
  for (std::size_t i = 0; i < curves_.size(); ++i) {
    const Series& series = chart_.series[i];
    if (curves_[i].points == 0) continue;
    empty = false;
    if (has_dots(series))
      add_dots(curves_[i], i, looks_[i], series.stems, y, drawn);
    else
      add_line(curves_[i], i, looks_[i], is_thin(series) ? thin : 0, drawn);
  }
  if (empty)
    script += "set label 'nothing to draw' at graph 0.5, graph 0.5 center textcolor rgb '#606060'\nset format ''\n";
  return script + drawn.data + "plot " + drawn.thin_plots + drawn.line_plots + drawn.dot_plots + "NaN\n" + reset;
}

}  // namespace rz::report
