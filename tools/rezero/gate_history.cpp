#include "tools/rezero/gate_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "tools/rezero/evenly_spaced.h"
#include "tools/rezero/metrics.h"
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
    history.steps.push_back(line.step);
    history.gates.push_back(line.residual_weights->values);
  }
  RZ_CHECK(file, history.steps.size() >= 2,
           "{}: {} logged steps have residual weights, a picture needs two (a form with gates, train.log_every)",
           paths.metrics, history.steps.size());
  return history;
}

report::HeatMap gate_map(const GateHistory& history) {
  constexpr std::int64_t most_columns = 400;
  const std::size_t layers = history.gates.front().size();
  const std::int64_t first = history.steps.front(), last = history.steps.back(),
                     columns = std::min(most_columns, last - first + 1);
  report::HeatMap map{.title = history.name + ": |a| of every residual connection over training",
                      .x_label = "step",
                      .y_label = "residual weight, from the first layer",
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
      map.values[layer * map.columns + static_cast<std::size_t>(c)] = std::fabs(history.gates[at][layer]);
  }
  return map;
}

std::string gate_text(const GateHistory& history) {
  std::vector<std::vector<std::string>> rows{{"step", "mean |a|", "largest |a|", "of residual weight"}};
  for (const std::size_t k : evenly_spaced(history.steps.size(), 12)) {
    std::vector<double> sizes;
    for (const double gate : history.gates[k]) sizes.push_back(std::fabs(gate));
    double sum = 0;
    for (const double size : sizes) sum += size;
    const auto largest = std::ranges::max_element(sizes);
    rows.push_back({count_text(history.steps[k]), fmt::format("{:.4g}", sum / static_cast<double>(sizes.size())),
                    fmt::format("{:.4g}", *largest), std::to_string(largest - sizes.begin())});
  }
  return fmt::format("{}: {} residual weights over training, counted from 0\n\n", history.name,
                     history.gates.front().size()) +
         table_text(rows, "rrrr");
}

}  // namespace rz::tool
