// Residual weights over training, as metrics.jsonl tells them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/report/chart.h"

namespace rz::tool {

struct GateHistory {
  std::string name;                        // of the run's folder
  std::vector<std::int64_t> steps;         // that were logged, ascending
  std::vector<std::vector<double>> gates;  // of each step, from the first layer to the last
};

// Throws: file (not a run, no metrics, fewer than two logged steps with gates)
GateHistory load_gates(std::string_view run);
// |a| by layer and step, as in the paper's figure (2003.04887).
report::HeatMap gate_map(const GateHistory& history);
std::string gate_text(const GateHistory& history);

}  // namespace rz::tool
