// Singular values at the ends of a spectrum, matrix-free: Golub-Kahan-Lanczos bidiagonalisation (Golub, Kahan, SIAM J.
// Numer. Anal. 2, 1965) with full reorthogonalisation, twice.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/isometry/operator.h"

namespace rz::isometry {

// op V^T = U^T B and op^T U^T = V^T B^T + beta_s v_{s+1} e_s^T for s steps: rows of U and V are orthonormal, B is upper
// bidiagonal with `alpha` on the diagonal and beta[0 ... s - 2] above it; beta[s - 1] is what remains.
struct Bidiagonal {
  std::vector<double> alpha, beta;  // [s]
  Tensor matrix() const;            // B [s, s]
};
// op.cols <= op.rows. From the direction `start` [1, cols]. Where the Krylov space is exhausted it ends, or, with
// `restart`, goes on with a random direction (coupled by an exact 0) until `steps`.
// Throws: value (a product that is not finite; start is 0), shape (op.cols > op.rows).
Bidiagonal bidiagonalize(const LinearOperator& op, const Tensor& start, std::int64_t steps, bool restart,
                         std::uint64_t seed);

struct SingularEstimate {
  double value = 0;
  // The operator has a singular value (or, for value <= bound, 0) within this distance: norm of the residual of the
  // singular pair, and rounding. How many values are hidden between two estimates it does not say.
  double bound = 0;
};
struct ExtremeValues {
  std::vector<SingularEstimate> largest;   // descending
  std::vector<SingularEstimate> smallest;  // ascending. Without `complete` these converge last, or never: see bounds
  std::int64_t steps = 0;
  bool complete = false;  // steps = min(rows, cols): these are the ends of the whole spectrum
};

// `count` values at either end after `steps` products with the operator and with its transpose; 0: all, min(rows,
// cols). Memory (rows + cols) steps. The smallest values need the full length unless the spectrum is well separated
// there; values that are equal are found once only, before the full length.
// Throws: value (count or steps out of range; a product that is not finite).
ExtremeValues extreme_singular_values(const LinearOperator& op, std::int64_t count, std::int64_t steps = 0,
                                      std::uint64_t seed = 0);

}  // namespace rz::isometry
