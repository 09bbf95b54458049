// Dense linear algebra by LAPACK, on the host, in f64 or f32 (as the argument). Matrices are rank 2, row-major.
// Every function first checks that all entries are finite and names matrix, row and column if not: LAPACK hangs or lies
// on NaN.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace rz {

struct Svd {
  Tensor u;                   // [m, k], k = min(m, n)
  std::vector<double> sigma;  // descending
  Tensor vt;                  // [k, n]
};
struct Qr {
  Tensor q;                          // [m, k]
  Tensor r;                          // [k, n], upper triangular
  std::vector<std::int64_t> pivots;  // of qr_pivoted: column pivots[j] of a is column j of q r; else empty
};
struct Eigh {
  std::vector<double> values;  // ascending
  Tensor vectors;              // [n, n], column j belongs to values[j]
};

// `what` names the matrix in messages.   Throws: shape, dtype, value (an entry is not finite), library (no
// convergence).
std::vector<double> svdvals(const Tensor& a,
                            std::string_view what = "matrix");  // descending; gesdd, or gesvd when it fails
Svd svd(const Tensor& a, std::string_view what = "matrix");
Qr qr(const Tensor& a, std::string_view what = "matrix");
Qr qr_pivoted(const Tensor& a, std::string_view what = "matrix");
Eigh eigh(const Tensor& a, std::string_view what = "matrix");  // symmetric; reads the lower triangle

void check_finite(const Tensor& a, std::string_view operation,
                  std::string_view what);  // Throws: value, naming row and column

}  // namespace rz
