#include "tools/isometry/operator.h"

#include <utility>

namespace rz::isometry {

LinearOperator jacobian_operator(const Function& f, const Tensor& x) {
  const Tensor y = f(Variable(x)).value();
  const Shape shape = y.shape();
  const auto as_x = [x](const Tensor& v) { return v.to(x.dtype()).to(x.device()); };
  LinearOperator op{.rows = y.elements(), .cols = x.elements(), .apply = {}, .apply_transpose = {}};
  op.apply = [f, x, as_x, rows = op.rows](const Tensor& v) {
    const std::int64_t k = v.shape()[0];
    const Tensor tangents = jvp(f, x, as_x(v).reshape(x.shape().prepended(k))).tangent;
    return tangents.reshape({k, rows}).to(DType::f64).to(Device::cpu());
  };
  op.apply_transpose = [f, x, as_x, shape, cols = op.cols](const Tensor& u) {
    const std::int64_t k = u.shape()[0];
    Tensor result({k, cols}, DType::f64);
    for (std::int64_t i = 0; i < k; ++i)
      result.rows(i, 1).copy_from(vjp(f, x, as_x(u.rows(i, 1)).reshape(shape)).reshape({1, cols}));
    return result;
  };
  return op;
}

LinearOperator transposed(const LinearOperator& op) { return {op.cols, op.rows, op.apply_transpose, op.apply}; }

}  // namespace rz::isometry
