#include "tools/rezero/spectrum_text.h"

#include <fmt/format.h>

#include <cstdint>

#include "nn/forms.h"
#include "tools/isometry/verdict.h"
#include "tools/rezero/numbers.h"

namespace rz::tool {
std::string verdict(const isometry::Result& result) { return isometry::verdicts(result).front().text; }

std::string spectrum_text(const isometry::Result& result, std::string_view part, std::string_view network,
                          std::string_view weights, std::string_view inputs) {
  const isometry::Summary& s = result.summary;
  const isometry::Counts counts = isometry::counts_of(result.samples);
  const bool floored = counts.below_floor() > 0 && counts.exact_zeros == 0;
  std::string text =
      fmt::format("{}: Jacobian of the {}, {} x {}, {}\n", network, part, result.rows, result.cols, result.precision);
  const auto line = [&](std::string_view label, std::string_view value) {
    text += fmt::format("  {:<24}{}\n", label, value);
  };
  line("weights", weights);
  line("inputs", inputs);
  text += '\n';
  line("largest singular value", isometry::power_of_ten(s.log10_max, 6));
  line("smallest",
       floored ? fmt::format("below the floor of {:.2g}", result.floor) : isometry::power_of_ten(s.log10_min, 6));
  line("mean square", number_text(s.mean_square, s.mean_square_se, 6));
  line("mean natural logarithm", number_text(s.mean_log, s.mean_log_se, 6));
  line("condition number",
       floored ? fmt::format("above {:.2g}", s.max / result.floor) : isometry::power_of_ten(s.log10_condition, 6));
  line("resolved", fmt::format("{} of {}", count_text(counts.resolved), count_text(counts.all)));
  line("below the floor", fmt::format("{} (floor {:.2g})", count_text(counts.below_floor()), result.floor));
  line("exact zeros", count_text(counts.exact_zeros));
  return text + fmt::format("\n{}\n", verdict(result));
}

std::string norm_text(const ModelRecipe& m, const std::string& of, std::int64_t tokens) {
  const nn::FormRow& form = nn::row(nn::form_named(m.form));
  const bool last = form.norm_post || (m.final_norm && of == "network");
  if (!m.is_transformer() || !last || (m.norm != "layer_norm" && m.norm != "rms_norm")) return "";
  const bool layer_norm = m.norm == "layer_norm";
  return fmt::format("{} of the smallest values are the last norm's: {} takes {} of each of the {} tokens",
                     tokens * (layer_norm ? 2 : 1), layer_norm ? "LayerNorm" : "RMSNorm",
                     layer_norm ? "the mean (exactly) and the length (but for eps / variance)"
                                : "the length (but for eps / mean square)",
                     tokens);
}

}  // namespace rz::tool
