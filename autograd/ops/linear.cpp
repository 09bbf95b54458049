// Matrix products.

#include <vector>

#include "autograd/ops.h"
#include "autograd/ops/lift.h"
#include "autograd/record.h"
#include "core/error.h"
#include "core/ops.h"
#include "core/step.h"

namespace rz {

namespace {

Tensor as_rows(const Tensor& x) { return x.reshape({x.shape().rows(), x.shape().columns()}); }

// The gradients of z = x W^T + b, shared by both forms of linear.
void linear_vjp(const Tensor& x, const Tensor& weight, const Tensor& d_z, Gradients& d) {
  const Tensor rows = as_rows(d_z);
  if (d.wanted(0)) {
    const Destination d_x = d.destination(0);
    ops::gemm(Transpose::no, rows, Transpose::no, weight, {as_rows(d_x.tensor), d_x.accumulate});
  }
  if (d.wanted(1)) ops::gemm(Transpose::yes, rows, Transpose::no, as_rows(x), d.destination(1));
  if (d.wanted(2)) ops::sum_to(rows, d.destination(2));
}

// y = f(x W^T + b) for an x of one row with a tangent, f of slopes 0 and 1: half of a ReLU layer's units are inactive,
// and their rows of W need not be multiplied with the tangents. Reads the slopes on the host.
//   t_y[active] = t_x W[active]^T,   0 elsewhere
Variable linear_of_active_units(const Variable& x, const Variable& weight, const Variable& bias, Scalar f) {
  const Variable y = scalar(f, linear(x.primal(), weight, bias));
  const std::vector<double> slopes = ops::scalar(f, 1, y.value()).to_vector();
  std::vector<std::int64_t> active;
  for (std::size_t i = 0; i < slopes.size(); ++i)
    if (slopes[i] != 0) active.push_back(static_cast<std::int64_t>(i));
  const Variable rows = gather_rows(weight, Tensor::of_integers({static_cast<std::int64_t>(active.size())}, active,
                                                                DType::i64, weight.value().device()));
  const auto units = static_cast<std::int64_t>(slopes.size());
  return detail::attach_tangent(y, spread_columns(linear(*x.tangent(), rows, {}), active, units));
}

Transpose flipped(Transpose op) { return op == Transpose::no ? Transpose::yes : Transpose::no; }

}  // namespace

// y = x W^T + b.   x: [..., in], weight: [out, in], bias: [out] -> [..., out]
//   d_x = d_y W,   d_W = d_y^T x,   d_b = sum of d_y over rows
//   t_y = t_x W^T + x t_W^T + t_b
Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  Tensor value = ops::linear(x.value(), weight.value(), bias.value());
  const Shape y = value.shape();
  return record(
      "linear", {x, weight, bias}, std::move(value),
      [x = x.value(), w = weight.value()](const Tensor& d_y, Gradients& d) { linear_vjp(x, w, d_y, d); },
      [y](const Primals& p, const Tangents& t) -> Variable {
        return Sum()
            .add(t.has(0), [&] { return linear(t[0], p[1], {}); })
            .add(t.has(1),
                 [&] {
                   const Variable rows = reshape(p[0], {p[0].shape().rows(), p[0].shape().columns()});
                   return reshape(matmul(Transpose::no, rows, Transpose::yes, t[1]), y.prepended(t[1].shape()[0]));
                 })
            .add(t.has(2), [&] { return lift_tangent(t[2], y); });
      });
}

// y = f(x W^T + b).   d_z = f'(z) d_y from y, then as linear.
// Recorded as two operations when f's derivative needs z, or when there are tangents (whose rule needs z as well).
Variable linear(const Variable& x, const Variable& weight, const Variable& bias, Scalar f) {
  if (f.function == ScalarFunction::identity) return linear(x, weight, bias);
  if (x.tangent() && !weight.tangent() && !bias.tangent() && x.shape().rows() == 1 && info(f.function).slopes_0_and_1 &&
      !inside_step())
    return linear_of_active_units(x, weight, bias, f);
  if (!info(f.function).uses_output || x.tangent() || weight.tangent() || bias.tangent())
    return scalar(f, linear(x, weight, bias));
  Tensor value = ops::linear(x.value(), weight.value(), bias.value(), f);
  return record(
      {"linear_scalar", &f}, {x, weight, bias}, value,
      [x = x.value(), w = weight.value(), y = value, f](const Tensor& d_y, Gradients& d) {
        linear_vjp(x, w, ops::scalar_vjp(f, y, d_y), d);
      },
      [](const Primals&, const Tangents&) { return Variable(); });
}

// c = op(a) op(b).   a or b: [m, k] or [batch, m, k]; a batch of one serves all
//   d_op(a) = d_c op(b)^T,   d_op(b) = op(a)^T d_c, summed over a batch that was shared
//   t_c = op(t_a) op(b) + op(a) op(t_b)
Variable matmul(Transpose op_a, const Variable& a, Transpose op_b, const Variable& b) {
  Tensor value = ops::gemm(op_a, a.value(), op_b, b.value());
  const Shape c = value.shape();
  const auto matrix = [](const Shape& s) { return s.from(s.rank() - 2); };
  // A tangent or primal in the shape [k, batch of c, matrix], flattened to [k batch, matrix].
  const auto spread = [c, matrix](const Variable& v, bool is_tangent, std::int64_t k) {
    const std::int64_t batch = c.rank() == 3 ? c[0] : 1;
    const Shape m = matrix(v.shape());
    Variable aligned = v;
    if (is_tangent && v.shape().rank() == 3) aligned = reshape(v, m.prepended(1).prepended(k));
    return reshape(broadcast_to(aligned, m.prepended(batch).prepended(k)), m.prepended(k * batch));
  };
  return record(
      "matmul", {a, b}, std::move(value),
      [a = a.value(), b = b.value(), op_a, op_b](const Tensor& d_c, Gradients& d) {
        const auto give = [&](int i, const Tensor& like, Transpose op_l, const Tensor& l, Transpose op_r,
                              const Tensor& r) {
          if (like.shape().rank() == d_c.shape().rank() &&
              (like.shape().rank() == 2 || like.shape()[0] == d_c.shape()[0]))
            return ops::gemm(op_l, l, op_r, r, d.destination(i));
          ops::sum_to(ops::gemm(op_l, l, op_r, r), d.destination(i));
        };
        if (d.wanted(0)) {
          if (op_a == Transpose::no)
            give(0, a, Transpose::no, d_c, flipped(op_b), b);
          else
            give(0, a, op_b, b, Transpose::yes, d_c);
        }
        if (d.wanted(1)) {
          if (op_b == Transpose::no)
            give(1, b, flipped(op_a), a, Transpose::no, d_c);
          else
            give(1, b, Transpose::yes, d_c, op_a, a);
        }
      },
      [c, op_a, op_b, spread](const Primals& p, const Tangents& t) -> Variable {
        const std::int64_t k = t.count();
        const Shape result = c.prepended(k);
        return Sum()
            .add(t.has(0),
                 [&] {
                   if (c.rank() == 2) return matmul(op_a, t[0], op_b, p[1]);
                   return reshape(matmul(op_a, spread(t[0], true, k), op_b, spread(p[1], false, k)), result);
                 })
            .add(t.has(1), [&] {
              if (c.rank() == 2) return matmul(op_a, p[0], op_b, t[1]);
              return reshape(matmul(op_a, spread(p[0], false, k), op_b, spread(t[1], true, k)), result);
            });
      });
}

}  // namespace rz
