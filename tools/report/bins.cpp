#include "tools/report/bins.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/error.h"

namespace rz::report {
namespace {

void include_theory(const Panel& panel, Range& x) {
  for (const Series* series : {&panel.theory, &panel.atoms})
    RZ_CHECK(value, series->x.size() == series->y.size(),
             "chart: the theory of panel \"{}\" has {} x but {} y, one for each is needed", panel.label,
             series->x.size(), series->y.size());
  double highest = 0;
  for (const double density : panel.theory.y) highest = std::max(highest, std::isfinite(density) ? density : 0);
  for (std::size_t i = 0; i < panel.theory.x.size(); ++i) {
    if (std::isfinite(panel.theory.x[i]) && panel.theory.y[i] > 1e-3 * highest) x.include(panel.theory.x[i]);
  }
  for (const double atom : panel.atoms.x) {
    if (std::isfinite(atom)) x.include(atom);
  }
}

}  // namespace

Bins bins_of(const Histogram& histogram) {
  RZ_CHECK(value, histogram.bins > 0, "chart: a histogram needs at least 1 bin, not {}", histogram.bins);
  Range x;
  for (const Panel& panel : histogram.panels) {
    include_theory(panel, x);
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

Bars bars_of(const Panel& panel, const Bins& bins) {
  RZ_CHECK(value, panel.weights.empty() || panel.weights.size() == panel.values.size(),
           "chart: panel \"{}\" has {} values but {} weights, one for each is needed", panel.label, panel.values.size(),
           panel.weights.size());
  Bars bars{{}, panel.zeros, panel.note};
  double total = panel.zeros;
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
  bars.zeros = total > 0 ? bars.zeros / total : 0;
  if (not_finite > 0) bars.note += fmt::format("{}{} not finite", bars.note.empty() ? "" : ", ", not_finite);
  return bars;
}

namespace {

struct Knot {
  double x, density, below;  // below: the mass left of x
};

std::vector<Knot> knots_of(const Series& density) {
  std::vector<Knot> knots;
  for (std::size_t i = 0; i < density.x.size(); ++i) {
    const double x = density.x[i], y = density.y[i];
    if (!std::isfinite(x) || !std::isfinite(y)) continue;
    double below = 0;
    if (!knots.empty()) below = knots.back().below + (x - knots.back().x) * (0.5 * y + 0.5 * knots.back().density);
    knots.push_back({x, y, below});
  }
  return knots;
}

double mass_below(const std::vector<Knot>& knots, double x) {
  const auto next = std::upper_bound(knots.begin(), knots.end(), x, [](double v, const Knot& k) { return v < k.x; });
  if (next == knots.begin()) return 0;
  const Knot& last = *std::prev(next);
  if (next == knots.end()) return last.below;
  const double slope = (next->density - last.density) / (next->x - last.x);
  return last.below + (x - last.x) * (last.density + 0.5 * slope * (x - last.x));
}

}  // namespace

std::vector<Point> expected_bars(const Series& density, const Bins& bins) {
  constexpr int points_per_bin = 16;
  const std::vector<Knot> knots = knots_of(density);
  if (knots.size() < 2) return {};
  const double half = 0.5 * bins.step, low = std::max(knots.front().x - half, bins.x.low);
  const double high = std::min(knots.back().x + half, bins.x.high);
  if (low >= high) return {};
  const double points = std::ceil(points_per_bin * (high - low) / bins.step);
  std::vector<Point> curve;
  for (double k = 0; k <= points; ++k) {
    const double x = low + (high - low) * k / points;
    curve.push_back({x, mass_below(knots, x + half) - mass_below(knots, x - half)});
  }
  return curve;
}

bool has_zeros(const Panel& panel) {
  return panel.zeros > 0 || std::find(panel.atoms.x.begin(), panel.atoms.x.end(), -INFINITY) != panel.atoms.x.end();
}

}  // namespace rz::report
