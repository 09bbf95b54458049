// The gated residual of ReZero.

#include <utility>

#include "autograd/ops.h"
#include "autograd/ops/lift.h"
#include "autograd/record.h"
#include "core/ops.h"

namespace rz {

// y = x + g f,   g = gates[index].   gates: [depth]
//   d_x = d_y (handed on),   d_f = g d_y,   d_gates[index] = <d_y, f>
//   t_y = t_x + g t_f + t_g f
Variable residual_add(const Variable& x, const Variable& f, const Variable& gates, std::int64_t index) {
  Tensor value = ops::residual_add(x.value(), f.value(), gates.value(), index);
  const Shape y = value.shape();
  return record(
      "residual_add", {x, f, gates}, std::move(value),
      [f = f.value(), gates = gates.value(), index](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) d.pass(0, d_y);
        Destination d_f = d.wanted(1) ? d.destination(1) : Destination{};
        if (d.same(1, 2)) ops::residual_add_vjp(f, gates, index, d_y, std::exchange(d_f, {}), {});
        const Destination d_gates = d.wanted(2) ? d.accumulator(2) : Destination{};
        if (d.wanted(1) || d.wanted(2)) ops::residual_add_vjp(f, gates, index, d_y, d_f, d_gates);
      },
      [y, index](const Primals& p, const Tangents& t) -> Variable {
        const bool both = t.has(0) && t.has(1);  // one pass: t_x + g t_f is the operation itself
        return Sum()
            .add(both, [&] { return residual_add(t[0], t[1], p[2], index); })
            .add(t.has(0) && !both, [&] { return t[0]; })
            .add(t.has(1) && !both, [&] { return multiply(slice(p[2], 0, index, 1), t[1]); })
            .add(t.has(2), [&] {
              const Variable t_g = reshape(slice(t[2], 1, index, 1), {t.count()});  // [k]: of a number
              return multiply(align_tangent(t_g, y), p[1]);
            });
      });
}

}  // namespace rz
