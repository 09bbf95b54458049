// Residual weights over training, as metrics.jsonl tells them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/report/chart.h"
#include "tools/rezero/metrics.h"

namespace rz::tool {

struct GateHistory {
  std::string name;                    // of the run's folder
  std::vector<std::int64_t> steps;     // that were logged, ascending
  std::vector<ResidualWeights> gates;  // of each step, equally many
};

// Throws: file (not a run, no metrics, fewer than two logged steps with gates, lines that do not belong together)
GateHistory load_gates(std::string_view run);
// |a| by layer and step, as in the paper's figure (2003.04887).
report::HeatMap gate_map(const GateHistory& history);
std::string gate_text(const GateHistory& history);

}  // namespace rz::tool
