#include "tools/rezero/spectrum_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "data/text.h"
#include "tools/isometry/verdict.h"
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

std::string with_error(double value, double error) {
  return number(value) + (error > 0 ? fmt::format(" +- {:.1g}", error) : "");
}

std::string count(std::int64_t value) { return grouped(static_cast<std::uint64_t>(value)); }

}  // namespace

std::string verdict(const isometry::Result& result) { return isometry::verdicts(result).front().text; }

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
  line("largest singular value", isometry::power_of_ten(s.log10_max, 6));
  line("smallest",
       floored ? fmt::format("below the floor of {:.2g}", result.floor) : isometry::power_of_ten(s.log10_min, 6));
  line("mean square", with_error(s.mean_square, s.mean_square_se));
  line("mean natural logarithm", with_error(s.mean_log, s.mean_log_se));
  line("condition number",
       floored ? fmt::format("above {:.2g}", s.max / result.floor) : isometry::power_of_ten(s.log10_condition, 6));
  line("resolved", fmt::format("{} of {}", count(counts.resolved), count(counts.all)));
  line("below the floor", fmt::format("{} (floor {:.2g})", count(counts.below_floor()), result.floor));
  line("exact zeros", count(counts.exact_zeros));
  return text + fmt::format("\n{}\n", verdict(result));
}

}  // namespace rz::tool
