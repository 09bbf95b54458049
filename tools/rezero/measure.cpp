#include "tools/rezero/measure.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/isometry/verdict.h"
#include "tools/report/spectra.h"
#include "tools/rezero/evenly_spaced.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/spectrum_text.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

// How far the singular values lie from 1 together, and from each other.
std::string scale_text(const isometry::Summary& s) {
  const double scale = std::sqrt(s.mean_square);
  if (!(scale > 0)) return "scale: 0, nothing passes";
  if (std::fabs(scale - 1) <= 1e-6) return "scale: 1, lengths are kept";
  const char* const verdict = scale > 2     ? "signals and gradients grow"
                              : scale < 0.5 ? "signals and gradients shrink"
                                            : "lengths are nearly kept";
  return fmt::format("scale: {:.4g} (root mean square of the singular values), {}", scale, verdict);
}

std::string spread_text(const isometry::Result& stack) {
  const double ratio = stack.summary.condition_number;
  if (std::isnan(stack.summary.log10_condition)) return "spread: none, J = 0";
  if (std::isinf(stack.summary.log10_condition)) return "spread: infinite, some directions are lost";
  if (stack.summary.fraction_below_floor > 0)
    return fmt::format("spread: above {:.4g}, most directions are drowned by a few", stack.summary.max / stack.floor);
  const char* const verdict = ratio <= 1 + 1e-6 ? "all directions pass alike"
                              : ratio <= 3      ? "all directions pass nearly alike"
                              : ratio <= 100    ? "directions differ"
                                                : "most directions are drowned by a few";
  return fmt::format("spread: {} (largest over smallest singular value), {}",
                     isometry::power_of_ten(stack.summary.log10_condition, 4), verdict);
}

}  // namespace

std::string start_text(const isometry::Start& start) {
  std::vector<std::vector<std::string>> rows{{"layer", "gate", "|F|/|x|", "|x|"}};
  rows.push_back({"0", "", "", number_text(start.input_norm)});
  constexpr std::size_t most_layers = 16;
  for (const std::size_t l : evenly_spaced(start.layers.size(), most_layers)) {
    const isometry::LayerStart& layer = start.layers[l];
    rows.push_back(
        {std::to_string(l + 1), number_text(layer.gate), number_text(layer.branch_ratio), number_text(layer.norm)});
  }
  const isometry::Summary& s = start.stack.summary;
  const bool noise = isometry::smallest_is_noise(s);
  const std::string smallest =
      noise ? fmt::format("below the floor of {:.3g}", start.stack.floor) : isometry::power_of_ten(s.log10_min, 4);
  return "At the start (|x|: root mean square over inputs and units, layer 0 is the stack's input)\n" +
         table_text(rows, "rrrr") +
         fmt::format("\nSingular values of the stack: {} to {}\n  {}\n  {}\n  verdict: {}\n", smallest,
                     isometry::power_of_ten(s.log10_max, 4), scale_text(s), spread_text(start.stack),
                     verdict(start.stack));
}

std::string start_json(const isometry::Start& start) {
  using Json = nlohmann::ordered_json;  // writes null for NaN
  Json layers = Json::array();
  for (const isometry::LayerStart& layer : start.layers)
    layers.push_back({{"gate", layer.gate}, {"branch_ratio", layer.branch_ratio}, {"norm", layer.norm}});
  const isometry::Summary& s = start.stack.summary;
  const Json json{{"input_norm", start.input_norm},
                  {"layers", std::move(layers)},
                  {"stack",
                   {{"max", s.max},
                    {"min", isometry::smallest_is_noise(s) ? Json() : Json(s.min)},
                    {"mean_square", s.mean_square},
                    {"condition_number", s.condition_number},
                    {"verdict", verdict(start.stack)}}}};
  return json.dump();
}

}  // namespace rz::tool
