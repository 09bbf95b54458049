#include "tools/isometry/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace rz::isometry {
namespace {

constexpr double near = 0.1;                // singular values this close to 1 count as isometric
constexpr double equal = 1e-6;              // condition number - 1 of equal values
constexpr double scale_limit = 2;           // of the mean of sigma^2, and its inverse
constexpr double spread_decades = 2;        // largest over smallest value
constexpr double finite_width_limit = 0.1;  // L / N: fluctuations grow like exp(5 L / N)
constexpr double depth_scales = 6;          // trainable depth in xi_c (Schoenholz et al. 2017)
constexpr double outlier_factor = 1.5;      // above the edge of the bulk
constexpr double standard_errors = 4;

// How lengths change on average, and how much directions differ.
Verdict scale_verdict(const Result& result, const Counts& counts) {
  const Summary& s = result.summary;
  const char* const what = result.rows <= result.cols ? "gradients" : "signals";
  // The mean itself may lie beyond the range of a double; then its largest term says how far.
  const std::string squared = std::isfinite(s.mean_square) && s.mean_square > 0
                                  ? fmt::format("{:.3g}", s.mean_square)
                                  : "about " + power_of_ten(2 * s.log10_max, 2);
  Verdict verdict{"scale", s.mean_square, s.mean_square < 1 ? 1 / scale_limit : scale_limit, ""};
  if (s.mean_square > scale_limit) {
    verdict.text = fmt::format("{} grow: their squared length by a factor of {} on average", what, squared);
  } else if (s.mean_square < 1 / scale_limit) {
    verdict.text = fmt::format("{} shrink: their squared length by a factor of {} on average", what, squared);
  } else {
    verdict.text =
        fmt::format("{} keep their length on average (its square changes by a factor of {:.3g})", what, s.mean_square);
  }
  const std::int64_t lost = counts.all - counts.resolved;
  if (lost > 0) {
    verdict.text += fmt::format("; {:.3g} % of the directions are lost", 100 * counts.share(lost));
  } else if (s.log10_condition > spread_decades) {
    verdict.text += fmt::format(", but single directions differ by a factor of {}", power_of_ten(s.log10_condition, 3));
  }
  return verdict;
}

Verdict main_verdict(const Result& result, const Counts& counts) {
  const Summary& s = result.summary;
  const double off = std::max(s.max - 1, 1 - s.min);
  if (s.max == 1 && s.min == 1) return {"isometric", 0, 0, "all singular values are exactly 1: dynamical isometry"};
  if (std::isinf(s.log10_max) && s.log10_max < 0)
    return {"zero", 0, 0, "the Jacobian is zero: no signal and no gradient passes"};
  if (off <= near)
    return {"near_isometry", off, near,
            fmt::format("all singular values lie within {:.1g} of 1: close to dynamical isometry", off)};
  if (s.condition_number <= 1 + equal)
    return {"conformal", s.max, 1,
            fmt::format("all singular values are equal to {:.4g}, none is 1: conformal, but not isometric", s.max)};
  return scale_verdict(result, counts);
}

void add_lost(const Result& result, const Counts& counts, std::vector<Verdict>& all) {
  if (counts.exact_zeros > 0)
    all.push_back({"exact_zeros", counts.share(counts.exact_zeros), 0,
                   fmt::format("{:.3g} % of the values are exact zeros: units or pixels that nothing passes",
                               100 * counts.share(counts.exact_zeros))});
  if (counts.below_floor() > 0)
    all.push_back({"below_floor", counts.share(counts.below_floor()), 0,
                   fmt::format("{:.3g} % of the values lie below the floor of {:.2g} and are noise{}",
                               100 * counts.share(counts.below_floor()), result.floor,
                               result.method == "product" ? "" : " (the product form resolves them)")});
  const Summary& s = result.summary;
  if (counts.below_floor() == 0 && std::isfinite(s.log10_condition) && s.log10_condition > spread_decades)
    all.push_back({"spread", s.log10_condition, spread_decades,
                   fmt::format("{:.3g} decades between the largest and the smallest value", s.log10_condition)});
}

// The theory of a deep net stands at the fixed point of its lengths; the first layers of a real one do not.
std::string lengths_text(const VerdictContext& net) {
  if (std::isnan(net.q_star) || std::fabs(net.q_0 - net.q_star) <= near * net.q_star) return "";
  return fmt::format(": it stands at |x|^2/N = {:.3g}, but the inputs have {:.3g}", net.q_star, net.q_0);
}

void add_random_net(const Result& result, const VerdictContext& net, std::vector<Verdict>& all) {
  // Gaussian layers fluctuate by 1/N each, near-isometric ones by what they spread.
  const double layers = static_cast<double>(net.layers), width = static_cast<double>(net.width);
  const double ratio = std::min(layers, net.variance_over_mean2) / width;
  if (ratio > finite_width_limit)
    all.push_back({"finite_width", ratio, finite_width_limit,
                   fmt::format("{} = {:.2g}: fluctuations of a finite width dominate, see the standard errors",
                               net.variance_over_mean2 >= layers ? "L/N" : "var(sigma^2)/N", ratio)});
  const double trainable = depth_scales * net.xi_c;
  if (static_cast<double>(net.layers) > trainable)
    all.push_back({"depth_scale", static_cast<double>(net.layers), trainable,
                   fmt::format("expect trouble beyond 6 xi_c = {:.3g} layers: inputs cannot be told apart there, or "
                               "nothing connects them",
                               trainable)});
  const double edge = outlier_factor * net.s_max;
  if (!net.outliers.empty())
    all.push_back(
        {"outlier", result.summary.max, net.outliers.back(),
         fmt::format("a single value of {:.3g} stands apart from the others (theory: {:.3g}, bulk up to {:.3g})",
                     result.summary.max, net.outliers.back(), net.s_max)});
  else if (result.summary.max > edge && ratio <= finite_width_limit)
    all.push_back({"outlier", result.summary.max, edge,
                   fmt::format("the largest value, {:.3g}, lies far above the edge of the theory, {:.3g}",
                               result.summary.max, net.s_max)});
  const Summary& s = result.summary;
  if (std::fabs(s.mean_square - net.mean) > standard_errors * s.mean_square_se + 1e-9 * net.mean &&
      net.outliers.empty())
    all.push_back({"theory_mean", s.mean_square, net.mean,
                   fmt::format("the mean of sigma^2, {:.4g} +- {:.2g}, is not that of the theory, {:.4g}{}",
                               s.mean_square, s.mean_square_se, net.mean, lengths_text(net))});
}

}  // namespace

std::string power_of_ten(double exponent, int digits) {
  if (std::isnan(exponent)) return "-";
  if (!std::isfinite(exponent) || std::fabs(exponent) < 300)
    return fmt::format("{:.{}g}", std::pow(10.0, exponent), digits);
  double whole = std::floor(exponent), mantissa = std::pow(10.0, exponent - whole);
  if (mantissa > 10 - 0.5 * std::pow(10.0, 1 - digits)) {  // would be written as 10
    whole += 1;
    mantissa = 1;
  }
  return fmt::format("{:.{}g}e{:+}", mantissa, digits, static_cast<std::int64_t>(whole));
}

std::vector<Verdict> verdicts(const Result& result, const std::optional<VerdictContext>& context) {
  const Counts counts = counts_of(result.samples);
  std::vector<Verdict> all{main_verdict(result, counts)};
  add_lost(result, counts, all);
  if (context) add_random_net(result, *context, all);
  return all;
}

}  // namespace rz::isometry
