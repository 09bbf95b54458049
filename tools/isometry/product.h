// Singular values of a product of many matrices, each to nearly full relative accuracy, over any number of decades.
// The product is never formed: it is held as U D T, U with orthonormal columns, D diagonal with scales as powers of
// two, T well conditioned with rows of norm near 1. A factor F gives F U = Q R (columns in descending order of their
// scaled norms), U <- Q, D T <- R D T, scaled anew; at the end one-sided Jacobi on D T. This is the stratification of
// determinant quantum Monte Carlo (Loh et al., Phys. Rev. B 41, 9301, 1990); sorting before an unpivoted QR is from
// Tomas et al., IPDPS 2012, "Advancing large scale many-body QMC simulations on GPU accelerated multicore systems".
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"
#include "tools/isometry/spectrum.h"

namespace rz::isometry {

// J = J_n ... J_1, fed J_1 first. Memory and time of a push: O(N^2) and O(N^3), N the largest extent.
// The rank is that of the structure: rows and columns of zeros, as inactive units give, are taken out, and the zeros
// that they cause are exact. A factor that is singular otherwise (two equal rows) is so by its numbers only: the
// directions it loses stay at the rounding level, are not resolved and set the floor.
// Rows and columns of a factor may differ by any number of decades. Near-isometric factors (residual layers with small
// gates) may be multiplied by a few before a push.
class ProductSpectrum {
 public:
  // factor [m, n], f64, on the host; n is the m before.   Throws: shape, dtype, value (an entry is not finite: factor,
  // row, column).
  void push(const Tensor& factor);

  // Of the product so far. floor: the largest value that is not resolved, 0 if all are or it is below a double's range.
  SampleSpectrum finish() const;  // Throws: value (no factor), library (no convergence)

  // From one more QR, without singular values. Natural logarithms; NaN when a direction is not resolved.
  double mean_log_sigma() const;  // mean over the singular values that are no exact zeros; NaN when there is none
  double log_abs_det() const;     // -infinity when there is an exact zero.   Throws: shape (not square)

 private:
  void start(const Tensor& factor);
  Tensor active_part(const Tensor& factor);
  void multiply(const Tensor& c, double row_norm);
  void multiply_scaled(const Tensor& factor);
  void settle_rows();
  ProductSpectrum settled() const;
  double log_volume() const;

  std::int64_t factors_ = 0, rows_ = 0, cols_ = 0;  // of the product
  std::vector<std::int64_t> active_;                // the rows of the product that are not zeros; those of u_
  Tensor u_;                                        // [active, k]; k = 0: undefined, the product is zero
  std::vector<std::int64_t> row_exponents_;         // [active]; the product is diag(2^row_exponents) U D T
  std::vector<std::int64_t> exponents_;             // D = diag(2^exponents), [k]
  Tensor t_;                                        // [k, used columns]
  std::vector<char> lost_;                          // [k]; a direction at the rounding level; these come last
};

}  // namespace rz::isometry
