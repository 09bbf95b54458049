// Dropout.

#include "autograd/ops.h"
#include "autograd/record.h"
#include "autograd/transforms.h"
#include "core/ops.h"

namespace rz {

// y = x m,   m = 1 / (1 - p) with probability 1 - p, else 0.   d_x = d_y m;   t_y = t_x m
Variable dropout(const Variable& x, double p, const RandomKey& key, const Tensor& state) {
  require_row_independence(p == 0, "dropout");
  const Tensor mask = ops::dropout_mask(key, state, p, x.shape(), x.dtype());
  return record(
      "dropout", {x}, ops::multiply(x.value(), mask),
      [mask](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) ops::binary(Binary::multiply, d_y, mask, d.destination(0));
      },
      [&mask](const Primals&, const Tangents& t) { return multiply(Variable(mask), t[0]); });
}

}  // namespace rz
