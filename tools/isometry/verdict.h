// What a measured spectrum means, in words, with the number and the threshold that it rests on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/isometry/spectrum.h"

namespace rz::isometry {

// Codes: isometric, zero, near_isometry, conformal, scale (mean of sigma^2), spread (largest over smallest value);
// exact_zeros, below_floor; of random nets finite_width, depth_scale, outlier, theory_mean.
struct Verdict {
  std::string code;
  double value = 0, threshold = 0;
  std::string text;
};

// Of a random net and its theory.
struct VerdictContext {
  std::int64_t layers = 0, width = 0;
  double xi_c = 0;             // depth scale of correlations, layers; NaN: none
  double q_0 = 0, q_star = 0;  // |x|^2 / width at the input, and where the theory stands; NaN: all the same
  double mean = 0, variance_over_mean2 = 0, s_max = 0;  // of the theory
  std::vector<double> outliers{};                       // of the theory
};

// The first says in one sentence how signals and gradients pass; the others what to beware of.
std::vector<Verdict> verdicts(const Result& result, const std::optional<VerdictContext>& context = {});

// 10^exponent with so many significant digits, "3.16e-400" where no double reaches; "-" for NaN.
std::string power_of_ten(double exponent, int digits);

}  // namespace rz::isometry
