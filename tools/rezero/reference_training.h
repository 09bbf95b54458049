// A small training whose losses are known: what a wrong BLAS, kernel or compiler would change.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"

namespace rz::tool {

inline constexpr int reference_steps = 240;

// The loss in nats of each of `steps` steps: ReZero, 16 layers of 133, on drawn shapes in batches of 65 by SGD, all
// from seed 1, with the threads that are set.
std::vector<double> reference_losses(DType precision, int steps = reference_steps);

struct LossComparison {
  bool close = false;       // every stored loss is met within its tolerance
  double worst = 0;         // largest difference in units of the tolerance; infinite where a loss is not finite
  bool bits_known = false;  // this instruction set and BLAS are in the table
  bool bits_equal = false;  // and every loss has its bits
};
// Losses of at least one step against the stored ones of the same steps.
LossComparison compare_losses(DType precision, std::span<const double> losses);

// A row for the table of bits in reference_training.cpp: f32 losses as this program has them.
std::string bits_row(std::span<const double> losses);

}  // namespace rz::tool
