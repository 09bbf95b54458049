#include "autograd/variable.h"

#include "core/error.h"

namespace rz {

Variable Variable::primal() const {
  Variable v = *this;
  v.tangent_.reset();
  return v;
}

Variable Variable::with_tangent(Variable tangent) const {
  RZ_CHECK(value, !tangent_ && !tangent.tangent_,
           "forward mode: {} has tangents already, and forward mode does not nest", shape());
  const Shape& t = tangent.shape();
  RZ_CHECK(shape, t.rank() == shape().rank() + 1 && t.from(1) == shape(),
           "forward mode: tangents {} of {} must be [k, its shape]", t, shape());
  RZ_CHECK(dtype, tangent.dtype() == dtype(), "forward mode: tangents are {}, the value is {}", tangent.dtype(),
           dtype());
  Variable v = *this;
  v.tangent_ = std::make_shared<const Variable>(std::move(tangent));
  return v;
}

}  // namespace rz
