// A matrix that is known by its products alone: Jacobians of networks too large to write down.
#pragma once

#include <cstdint>
#include <functional>

#include "autograd/transforms.h"
#include "core/tensor.h"

namespace rz::isometry {

// Vectors are rows of f64 matrices on the host.
struct LinearOperator {
  std::int64_t rows = 0, cols = 0;
  std::function<Tensor(const Tensor&)> apply;            // v [k, cols] -> J v of each, [k, rows]
  std::function<Tensor(const Tensor&)> apply_transpose;  // u [k, rows] -> J^T u of each, [k, cols]
};

// J of f at x [any shape, any real dtype and device]: J v by forward mode, k directions in one pass; J^T u by reverse
// mode, a pass each. Both run f: it must give the same each time.
LinearOperator jacobian_operator(const Function& f, const Tensor& x);

LinearOperator transposed(const LinearOperator& op);

}  // namespace rz::isometry
