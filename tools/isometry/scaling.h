// Exact scaling of matrices by powers of two. Private to the files that call it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace rz::isometry {

using Exponents = std::vector<std::int64_t>;

struct Sizes {
  std::vector<double> rows, columns;  // largest magnitude in each
};
Sizes sizes_of(const Tensor& a);  // a [m, n], f64

Exponents exponents_of(const std::vector<double>& sizes);  // 2^e <= size < 2^(e + 1).   No zeros
std::int64_t range_of(const Exponents& exponents);         // largest - smallest
Exponents negated(Exponents exponents);

double times_power(double x, std::int64_t exponent);                              // x 2^exponent
Tensor scaled(const Tensor& a, const Exponents& rows, const Exponents& columns);  // 2^rows[i] a_ij 2^columns[j]

}  // namespace rz::isometry
