// Exact expectations at finite width, for products of L independent random N x N matrices. They show how far single
// networks of width N stray from mean-field theory, which is N -> infinity: L / N is what counts.
//
// Gaussian W with W_ij ~ N(0, sigma_w^2 / N), no bias:
//   linear     J = W_L ... W_1               the identity as activation
//   residual   J = prod_l (1 + gate W_l)     residual stream, the identity in the branch
//   relu       J = prod_l D_l W_l            D_l independent diagonal masks, 0 or 1 with probability 1/2. The singular
//              values have the law of a relu network's at any fixed input but 0: its masks are those of W_l x, and as
//              the sign of a row of W_l is free, it does not matter that they depend on W_l (Hanin & Nica 2020)
// With orthogonal W and the identity every singular value is sigma_w^L: nothing to compute.
#pragma once

#include <cstdint>
#include <vector>

namespace rz::isometry {

enum class RandomProduct : std::uint8_t { linear, residual, relu };

// Over the whole depth. NaN: no closed form for this product.
struct FiniteWidth {
  double e_tr = 0;                // E tr(M) / N, M = J J^T
  double e_tr2 = 0, e_tr_sq = 0;  // E tr(M^2) / N and E (tr(M) / N)^2
  // E (1 / N) sum_i ln sigma_i(J) and the variance of ln |det J|. relu: -infinity and NaN; residual: NaN
  double mean_log_sigma = 0, var_log_det = 0;
  // Of ln |J u|, |u| = 1 fixed. relu: given that in no layer all units are inactive; residual: NaN
  double mean_log_norm = 0, var_log_norm = 0;
  double fourth_moment_ratio = 0;  // E |J u|^4 / (E |J u|^2)^2: linear (1 + 2/N)^L, relu (1 + 5/N)^L
  double expected_rank = 0;        // in units: relu E min over layers of Bin(N, 1/2), else N
  // linear: the N exponents lim (1 / L) ln sigma_i(J), L -> infinity, descending (Newman 1986). Else empty
  std::vector<double> lyapunov;
};
// gate: of the residual product.
// Throws: value (width or layers not between 1 and 10^6; sigma_w not between 0 and 10^4; gate not finite)
FiniteWidth finite_width(RandomProduct product, std::int64_t width, std::int64_t layers, double sigma_w,
                         double gate = 1);

// ln(|D W x|^2 / |x|^2) of one relu layer with N units, given that one unit at least is active: with k active,
// k ~ Bin(N, 1/2), it is the logarithm of sigma_w^2 / N times a chi^2 variable with k degrees of freedom.
struct LogNorm {
  double mean = 0, variance = 0;
};
LogNorm relu_log_norm2(std::int64_t width, double sigma_w);  // Throws: value (as finite_width)

// psi(x) = d/dx ln Gamma(x) and its derivative, x > 0.
double digamma(double x);
double trigamma(double x);

}  // namespace rz::isometry
