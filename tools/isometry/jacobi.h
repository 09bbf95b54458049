// One-sided Jacobi for matrices whose rows differ by any number of decades.
// Demmel, Veselic, "Jacobi's method is more accurate than QR" (SIAM J. Matrix Anal. Appl. 13, 1992): for D A with A
// well conditioned the error of every singular value is small relative to that value, whatever the range of D.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.h"

namespace rz::isometry {

// mantissa 2^exponent, mantissa in [sqrt(1/2), sqrt(2)), or 0: a positive number beyond the range of a double.
struct Scaled {
  double mantissa = 0;
  std::int64_t exponent = 0;
  static Scaled of(double value, std::int64_t exponent);  // value 2^exponent
  double log10() const;                                   // -infinity for 0
  double value() const;                                   // 0 or infinite beyond the range of a double
};

// Singular values of D A, D = diag(2^exponents), descending. a [k, n], k <= n, f64 on the host, its rows of norms near
// 1. Each row keeps its own exponent throughout, so nothing over- or underflows.
// Throws: shape, dtype, value (an entry is not finite), library (60 sweeps do not suffice).
std::vector<Scaled> jacobi_singular_values(const Tensor& a, std::span<const std::int64_t> exponents);

}  // namespace rz::isometry
