// Sums and means.

#include <vector>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/error.h"
#include "core/ops.h"

namespace rz {

// y = sum of x over axes.   d_x = d_y broadcast;   t_y = sum of t_x over the same axes
Variable sum(const Variable& x, std::span<const int> axes, bool keep_axes) {
  std::vector<int> positive(axes.begin(), axes.end());
  Shape kept = x.shape();
  for (int& axis : positive) {
    if (axis < 0) axis += x.shape().rank();
    RZ_CHECK(shape, axis >= 0 && axis < x.shape().rank(), "sum: there is no axis {} in {}", axis, x.shape());
    kept = kept.with(axis, 1);
  }
  Tensor value = ops::reduce(Reduction::sum, x.value(), positive, keep_axes);
  return record(
      "sum", {x}, std::move(value),
      [kept](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) ops::broadcast_to(d_y.reshape(kept), d.destination(0));
      },
      [&](const Primals&, const Tangents& t) {
        for (int& axis : positive) ++axis;
        return sum(t[0], positive, keep_axes);
      });
}

Variable sum(const Variable& x) {
  std::vector<int> all;
  for (int axis = 0; axis < x.shape().rank(); ++axis) all.push_back(axis);
  return sum(x, all, false);
}

Variable mean(const Variable& x) { return scale(1.0 / static_cast<double>(x.value().elements()), sum(x)); }

}  // namespace rz
