// What runs recorded, made comparable: their loss by epoch, and how soon they reached a given loss.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tools/rezero/metrics.h"
#include "tools/rezero/recipe.h"

namespace rz::tool {

// The training loss of single batches is noisy: what counts is the median of this many logged steps up to a step, or of
// a tenth of the run's where that is less.
inline constexpr std::size_t loss_window = 9;

struct CurvePoint {
  std::int64_t step = 0;
  double seconds = 0, loss = 0;
};

struct History {
  std::string name;  // of the run's folder; the path as given where two folders have one name
  std::string path;  // absolute
  Recipe recipe;
  std::vector<Metrics> epochs;
  std::vector<CurvePoint> curve;  // a point per logged step, with the median above
  std::int64_t steps = 0;         // the last one that was logged
  double seconds = 0;             // at that step
  bool ended_finite = true;       // loss and gradient norm of the last logged step
};

// Throws: file (not a run, no metrics, an invalid line).
std::vector<History> load_histories(std::span<const std::string> runs);

// The first point of the curve that is not above `loss`; none when it never got there.
std::optional<CurvePoint> reached(const History& run, double loss);
// The lowest finite loss of the curve; none when there is none.
std::optional<double> lowest_loss(const History& run);

}  // namespace rz::tool
