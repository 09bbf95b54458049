#include "tools/rezero/history.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/error.h"
#include "tools/rezero/run.h"
#include "tools/rezero/source.h"

namespace rz::tool {
namespace {

// NaN counts as larger than all numbers.
double median(std::vector<double> values) {
  const auto middle = values.begin() + (std::ssize(values) - 1) / 2;
  for (double& value : values) value = std::isnan(value) ? INFINITY : value;
  std::ranges::nth_element(values, middle);
  return *middle;
}

std::vector<CurvePoint> curve_of(std::span<const Metrics> lines) {
  const std::size_t window = std::min(loss_window, lines.size() / 10 | 1);
  std::vector<CurvePoint> curve;
  for (std::size_t end = 1; end <= lines.size(); ++end) {
    std::vector<double> losses;
    for (std::size_t i = end < window ? 0 : end - window; i < end; ++i) losses.push_back(lines[i].train_loss);
    curve.push_back({lines[end - 1].step, lines[end - 1].seconds, median(std::move(losses))});
  }
  return curve;
}

History load(const std::string& run) {
  require_run(run);
  const RunPaths paths(run);
  RZ_CHECK(file, std::filesystem::exists(paths.metrics),
           "{}: has recorded nothing yet: there is no metrics.jsonl (rezero train --resume goes on with it)",
           paths.directory);
  History history{short_name(run), paths.directory, load_run_recipe(run), {}, {}, 0, 0, true};
  std::vector<Metrics> steps;
  for (Metrics& line : read_metrics(paths.metrics)) {
    if (line.step >= history.steps) {
      history.steps = line.step;
      history.seconds = line.seconds;
      history.ended_finite = std::isfinite(line.train_loss) && std::isfinite(line.gradient_norm);
    }
    (line.of_epoch ? history.epochs : steps).push_back(std::move(line));
  }
  history.curve = curve_of(steps);
  return history;
}

}  // namespace

std::vector<History> load_histories(std::span<const std::string> runs) {
  std::vector<History> histories;
  for (const std::string& run : runs) histories.push_back(load(run));
  std::vector<std::string> names;
  for (const History& history : histories) names.push_back(history.name);
  for (std::size_t i = 0; i < histories.size(); ++i) {
    if (std::ranges::count(names, names[i]) > 1) histories[i].name = runs[i];
  }
  return histories;
}

std::optional<CurvePoint> reached(const History& run, double loss) {
  const auto point = std::ranges::find_if(run.curve, [&](const CurvePoint& p) { return p.loss <= loss; });
  return point == run.curve.end() ? std::optional<CurvePoint>() : *point;
}

std::optional<double> lowest_loss(const History& run) {
  std::optional<double> lowest;
  for (const CurvePoint& point : run.curve)
    if (std::isfinite(point.loss)) lowest = std::min(lowest.value_or(point.loss), point.loss);
  return lowest;
}

}  // namespace rz::tool
