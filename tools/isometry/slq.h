// Stochastic Lanczos quadrature (Ubaru, Chen, Saad, SIAM J. Matrix Anal. Appl. 38, 2017): averages f(lambda) over the
// eigenvalues lambda = sigma^2 of J J^T (J^T J on the smaller side), matrix-free.
// With s steps a probe's rule is exact for polynomials of degree up to 2 s - 1 and good for functions that are smooth
// in lambda. NO HISTOGRAMS OF log sigma, AND NO MEANS OF log sigma, OF A WIDE SPECTRUM: a rule of s nodes resolves
// lambda to about lambda_max / s^2, and all that is smaller is lumped. For 1,000 values spread evenly in log sigma
// over 6.5 decades, 200 steps still put the mean of log sigma at -4.74 instead of -6.33. Use ProductSpectrum for
// logarithms.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tools/isometry/operator.h"
#include "tools/isometry/trace.h"

namespace rz::isometry {

struct Quadrature {
  std::vector<double> lambda, weight;  // Gauss rule of one probe: descending nodes; weights sum to 1
};

// One rule per probe of signs.   Throws: value (probes < 1, steps out of 1 ... min(rows, cols)).
std::vector<Quadrature> lanczos_quadrature(const LinearOperator& op, std::int64_t steps, std::int64_t probes,
                                           std::uint64_t seed = 0);

// Mean of f(lambda) over the spectrum, standard error over the probes.   Throws: value (no rules).
Estimate spectral_mean(std::span<const Quadrature> rules, const std::function<double(double)>& f);

// The density of lambda on a linear grid, each node a Gaussian of standard deviation `width`, at least the resolution
// of the rules; it integrates to 1.   Throws: value (no rules, width <= 0).
std::vector<double> smoothed_density(std::span<const Quadrature> rules, std::span<const double> lambda, double width);

}  // namespace rz::isometry
