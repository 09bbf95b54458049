#include "tools/rezero/spectrum_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "data/text.h"
#include "tools/report/spectra.h"

namespace rz::tool {
namespace {

struct Counts {
  std::int64_t all = 0, resolved = 0, exact_zeros = 0;
  std::int64_t below_floor() const { return all - resolved - exact_zeros; }
};

Counts counts_of(const isometry::Result& result) {
  Counts counts;
  for (const isometry::SampleSpectrum& sample : result.samples) {
    counts.all += std::ssize(sample.singular_values);
    counts.resolved += sample.resolved;
    counts.exact_zeros += sample.exact_zeros;
  }
  return counts;
}

std::string number(double value) {
  if (std::isnan(value)) return "-";
  return fmt::format("{:.6g}", value);
}

std::string count(std::int64_t value) { return grouped(static_cast<std::uint64_t>(value)); }

}  // namespace

std::string verdict(const isometry::Result& result) {
  const isometry::Summary& s = result.summary;
  const Counts counts = counts_of(result);
  if (s.max == 1 && s.min == 1) return "all singular values are exactly 1: dynamical isometry";
  if (std::isinf(s.log10_max)) return "the Jacobian is zero: no signal and no gradient passes";
  const double off = std::max(s.max - 1, 1 - s.min);
  if (off <= 0.1) return fmt::format("all singular values lie within {:.1g} of 1: close to dynamical isometry", off);
  if (s.condition_number <= 1 + 1e-6)
    return fmt::format("all singular values are equal to {:.4g}, none is 1: conformal, but not isometric", s.max);
  const char* const what = result.rows <= result.cols ? "gradients" : "signals";
  std::string text;
  if (s.mean_square > 2) {
    text = fmt::format("{} grow: their squared length by a factor of {:.3g} on average", what, s.mean_square);
  } else if (s.mean_square < 0.5) {
    text = fmt::format("{} shrink: their squared length by a factor of {:.3g} on average", what, s.mean_square);
  } else {
    text =
        fmt::format("{} keep their length on average (its square changes by a factor of {:.3g})", what, s.mean_square);
  }
  const std::int64_t lost = counts.all - counts.resolved;
  if (lost > 0) {
    text += fmt::format("; {:.3g} % of the directions are lost",
                        100 * static_cast<double>(lost) / static_cast<double>(counts.all));
  } else if (s.log10_condition > 2) {
    text += fmt::format(", but single directions differ by a factor of {}", report::power_of_ten(s.log10_condition, 3));
  }
  return text;
}

std::string spectrum_text(const isometry::Result& result, std::string_view network, std::string_view weights,
                          std::string_view inputs) {
  const isometry::Summary& s = result.summary;
  const Counts counts = counts_of(result);
  const bool floored = counts.below_floor() > 0 && counts.exact_zeros == 0;
  std::string text = fmt::format("{}: Jacobian of the {}, {} x {}, {}\n", network, result.of, result.rows, result.cols,
                                 result.precision);
  const auto line = [&](std::string_view label, std::string_view value) {
    text += fmt::format("  {:<24}{}\n", label, value);
  };
  line("weights", weights);
  line("inputs", inputs);
  text += '\n';
  line("largest singular value", report::power_of_ten(s.log10_max, 6));
  line("smallest",
       floored ? fmt::format("below the floor of {:.2g}", result.floor) : report::power_of_ten(s.log10_min, 6));
  line("mean square", number(s.mean_square));
  line("mean natural logarithm", number(s.mean_log));
  line("condition number",
       floored ? fmt::format("above {:.2g}", s.max / result.floor) : report::power_of_ten(s.log10_condition, 6));
  line("resolved", fmt::format("{} of {}", count(counts.resolved), count(counts.all)));
  line("below the floor", fmt::format("{} (floor {:.2g})", count(counts.below_floor()), result.floor));
  line("exact zeros", count(counts.exact_zeros));
  return text + fmt::format("\n{}\n", verdict(result));
}

}  // namespace rz::tool
