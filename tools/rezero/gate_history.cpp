#include "tools/rezero/gate_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "tools/rezero/evenly_spaced.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/run.h"
#include "tools/rezero/source.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {

GateHistory load_gates(std::string_view run) {
  require_run(run);
  const RunPaths paths(run);
  GateHistory history{.name = short_name(run), .steps = {}, .gates = {}};
  for (const Metrics& line : read_metrics(paths.metrics)) {
    if (line.of_epoch || !line.residual_weights || line.residual_weights->values.empty()) continue;
    RZ_CHECK(file,
             history.steps.empty() || (line.step > history.steps.back() &&
                                       line.residual_weights->values.size() == history.gates.back().values.size()),
             "{}: the line of step {} does not follow from the one before", paths.metrics, line.step);
    history.steps.push_back(line.step);
    history.gates.push_back(*line.residual_weights);
  }
  RZ_CHECK(file, history.steps.size() >= 2,
           "{}: {} logged steps have residual weights, a picture needs two (a form with gates, train.log_every)",
           paths.metrics, history.steps.size());
  return history;
}

report::HeatMap gate_map(const GateHistory& history) {
  constexpr std::int64_t most_columns = 400;
  constexpr std::size_t most_kept = 1024;  // metrics.h
  const std::size_t layers = history.gates.front().values.size();
  const std::int64_t first = history.steps.front(), last = history.steps.back(),
                     columns = std::min(most_columns, last - first + 1);
  report::HeatMap map{.title = history.name + ": |a| of every residual connection over training",
                      .x_label = "step",
                      .y_label = layers < most_kept ? "residual weight, from the first layer"
                                                    : fmt::format("residual weight, {} of them, evenly spaced", layers),
                      .scale_label = "|a|",
                      .columns = static_cast<std::size_t>(columns),
                      .rows = layers,
                      .values = std::vector<double>(layers * static_cast<std::size_t>(columns)),
                      .x_first = static_cast<double>(first),
                      .x_last = static_cast<double>(last),
                      .y_first = 0,
                      .y_last = static_cast<double>(layers - 1)};
  std::size_t at = 0;  // the last logged step up to the column's
  for (std::int64_t c = 0; c < columns; ++c) {
    const std::int64_t step = first + (last - first) * c / std::max<std::int64_t>(columns - 1, 1);
    while (at + 1 < history.steps.size() && history.steps[at + 1] <= step) ++at;
    for (std::size_t layer = 0; layer < layers; ++layer)
      map.values[layer * map.columns + static_cast<std::size_t>(c)] = std::fabs(history.gates[at].values[layer]);
  }
  return map;
}

std::string gate_text(const GateHistory& history) {
  std::vector<std::vector<std::string>> rows{{"step", "mean |a|", "smallest a", "largest a"}};
  for (const std::size_t k : evenly_spaced(history.steps.size(), 12)) {
    const ResidualWeights& gates = history.gates[k];
    rows.push_back({count_text(history.steps[k]), number_text(gates.mean_abs, 4), number_text(gates.min, 4),
                    number_text(gates.max, 4)});
  }
  return fmt::format("{}: residual weights over training\n\n", history.name) + table_text(rows, "rrrr");
}

}  // namespace rz::tool
