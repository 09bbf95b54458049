// An explicit matrix as an operator.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ops.h"
#include "tools/isometry/operator.h"

namespace rz::test {

inline isometry::LinearOperator operator_of(const Tensor& a) {
  return {a.shape()[0], a.shape()[1], [a](const Tensor& v) { return ops::gemm(Transpose::no, v, Transpose::yes, a); },
          [a](const Tensor& u) { return ops::gemm(Transpose::no, u, Transpose::no, a); }};
}

// diag(values)
inline isometry::LinearOperator diagonal_operator(const std::vector<double>& values) {
  const std::int64_t n = std::ssize(values);
  const auto times = [d = Tensor::of({1, n}, values), n](const Tensor& v) {
    Tensor y = v.clone();
    for (std::int64_t i = 0; i < y.elements(); ++i) y.data<double>()[i] *= d.data<double>()[i % n];
    return y;
  };
  return {n, n, times, times};
}

}  // namespace rz::test
