// The comparison of runs as text for people, as JSON and as CSV.
#pragma once

#include <span>
#include <string>

#include "tools/rezero/history.h"

namespace rz::tool {

struct Comparison {
  std::vector<History> runs;
  double loss = 0;              // to be reached; NaN: none
  bool loss_is_chosen = false;  // as the lowest of the first run, not given
};

std::string comparison_text(const Comparison& comparison);
// One line, null for what there is not:
//   {"loss", "runs": [{"name", "path", "form", "depth", "width", "steps", "seconds",
//     "epochs": [{"epoch", "step", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "seconds",
//                 "notebook_train_loss" (in the notebook's setting)}],
//     "steps_to_loss", "seconds_to_loss", "speed_up_steps", "speed_up_seconds"}]}
std::string comparison_json(const Comparison& comparison);
// A line per epoch: epoch, and for each run its train_loss, validation_loss and validation_accuracy, and the notebook's
// loss where there is one.
std::string comparison_csv(const Comparison& comparison);

}  // namespace rz::tool
