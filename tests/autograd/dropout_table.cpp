#include "core/step.h"
#include "support/op_table.h"

namespace rz::test {

std::vector<OpRow> dropout_rows() {
  std::vector<OpRow> rows;
  for (const double p : {0.0, 0.25, 0.9}) {
    const auto call = [p](Inputs x) {
      StepState state(x[0].value().device());
      state.set(7, 0);
      return dropout(x[0], p, {.seed = 3, .stream = 5}, state.tensor());
    };
    rows.push_back({.operation = "dropout",
                    .detail = "p = " + std::to_string(p).substr(0, 4),
                    .small = {{3, 5}},
                    .large = {{67, 517}},
                    .call = call});
    rows.push_back({.operation = "dropout",
                    .detail = "empty, p = " + std::to_string(p).substr(0, 4),
                    .small = {{0, 3}},
                    .large = {},
                    .call = call});
  }
  return rows;
}

}  // namespace rz::test
