// Small training runs for tests of the command.
#pragma once

#include <string>
#include <vector>

#include "support/close.h"

namespace rz::test {

// The arguments of a training of 3 layers of 16 on drawn shapes: 4 epochs of 15 steps, every step in the metrics. Later
// arguments win.
std::vector<std::string> small_training(const std::string& out, const std::vector<std::string>& more = {});

// Whether two runs ended alike, bit for bit and times apart: weights, optimiser state, and all lines of metrics.
Comparison same_run(const std::string& a, const std::string& b);

}  // namespace rz::test
