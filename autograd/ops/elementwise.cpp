// Elementwise operations with NumPy's broadcasting. The gradient of a broadcast input is summed over what was
// broadcast.

#include "autograd/ops.h"
#include "autograd/ops/lift.h"
#include "autograd/record.h"
#include "core/error.h"
#include "core/ops.h"

namespace rz {

Variable align_tangent(const Variable& t, const Shape& result) {
  Shape inner = t.shape().from(1);
  if (inner.rank() == result.rank()) return t;
  while (inner.rank() < result.rank()) inner = inner.prepended(1);
  return reshape(t, inner.prepended(t.shape()[0]));
}

Variable lift_tangent(const Variable& t, const Shape& result) {
  return broadcast_to(align_tangent(t, result), result.prepended(t.shape()[0]));
}

// y = a + b.   d_a = d_y,   d_b = d_y;   t_y = t_a + t_b
Variable add(const Variable& a, const Variable& b) {
  Tensor value = ops::add(a.value(), b.value());
  const Shape y = value.shape();
  return record(
      "add", {a, b}, std::move(value),
      [same_a = a.shape() == y, same_b = b.shape() == y](const Tensor& d_y, Gradients& d) {
        for (int i = 0; i < 2; ++i) {
          if (!d.wanted(i)) continue;
          if (i == 0 ? same_a : same_b)
            d.pass(i, d_y);
          else
            ops::sum_to(d_y, d.destination(i));
        }
      },
      [y](const Primals&, const Tangents& t) -> Variable {
        return Sum().add(t.has(0), [&] { return lift_tangent(t[0], y); }).add(t.has(1), [&] {
          return lift_tangent(t[1], y);
        });
      });
}

// y = a - b.   d_a = d_y,   d_b = -d_y;   t_y = t_a - t_b
Variable subtract(const Variable& a, const Variable& b) {
  Tensor value = ops::subtract(a.value(), b.value());
  const Shape y = value.shape();
  return record(
      "subtract", {a, b}, std::move(value),
      [same_a = a.shape() == y](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) {
          if (same_a)
            d.pass(0, d_y);
          else
            ops::sum_to(d_y, d.destination(0));
        }
        if (d.wanted(1)) ops::sum_to(ops::scale(-1, d_y), d.destination(1));
      },
      [y](const Primals&, const Tangents& t) -> Variable {
        return Sum().add(t.has(0), [&] { return lift_tangent(t[0], y); }).add(t.has(1), [&] {
          return scale(-1, lift_tangent(t[1], y));
        });
      });
}

namespace {
// d = sum of (d_y factor) over what was broadcast, without a temporary where nothing was.
void product_to(const Tensor& d_y, const Tensor& factor, const Destination& d) {
  if (d.tensor.shape() == d_y.shape())
    ops::binary(Binary::multiply, d_y, factor, d);
  else
    ops::sum_to(ops::multiply(d_y, factor), d);
}
}  // namespace

// y = a b.   d_a = d_y b,   d_b = d_y a;   t_y = t_a b + a t_b
Variable multiply(const Variable& a, const Variable& b) {
  Tensor value = ops::multiply(a.value(), b.value());
  const Shape y = value.shape();
  return record(
      "multiply", {a, b}, std::move(value),
      [a = a.value(), b = b.value()](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) product_to(d_y, b, d.destination(0));
        if (d.wanted(1)) product_to(d_y, a, d.destination(1));
      },
      [y](const Primals& p, const Tangents& t) -> Variable {
        return Sum().add(t.has(0), [&] { return multiply(align_tangent(t[0], y), p[1]); }).add(t.has(1), [&] {
          return multiply(p[0], align_tangent(t[1], y));
        });
      });
}

// y = a / b.   d_a = d_y / b,   d_b = -d_y y / b;   t_y = t_a / b - y t_b / b
Variable divide(const Variable& a, const Variable& b) {
  Tensor value = ops::divide(a.value(), b.value());
  const Shape y = value.shape();
  return record(
      "divide", {a, b}, value,
      [b = b.value(), value](const Tensor& d_y, Gradients& d) {
        const Tensor quotient = ops::divide(d_y, b);
        if (d.wanted(0)) ops::sum_to(quotient, d.destination(0));
        if (d.wanted(1)) ops::sum_to(ops::scale(-1, ops::multiply(quotient, value)), d.destination(1));
      },
      [y](const Primals& p, const Tangents& t) -> Variable {
        return Sum().add(t.has(0), [&] { return divide(align_tangent(t[0], y), p[1]); }).add(t.has(1), [&] {
          return scale(-1, divide(multiply(divide(p[0], p[1]), align_tangent(t[1], y)), p[1]));
        });
      });
}

// y = a x with a number a.   d_x = a d_y;   t_y = a t_x
Variable scale(double a, const Variable& x) {
  return record(
      "scale", {x}, ops::scale(a, x.value()),
      [a](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) ops::scale(a, d_y, d.destination(0));
      },
      [a](const Primals&, const Tangents& t) { return scale(a, t[0]); });
}

// y = f(x).   d_x = f'(x) d_y, from y alone where f allows it;   t_y = f'(x) t_x
Variable scalar(Scalar f, const Variable& x) {
  Tensor value = ops::scalar(f, 0, x.value());
  return record(
      {"scalar", &f}, {x}, value,
      [f, kept = info(f.function).uses_output ? value : x.value()](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) ops::scalar_vjp(f, kept, d_y, d.destination(0));
      },
      [f](const Primals& p, const Tangents& t) { return multiply(scalar_derivative(f, p[0]), t[0]); });
}

// y = f'(x).   d_x = f''(x) d_y;   t_y = f''(x) t_x, where f'' is a constant: third derivatives are refused
Variable scalar_derivative(Scalar f, const Variable& x) {
  return record(
      "scalar_derivative", {x}, ops::scalar(f, 1, x.value()),
      [f, x = x.value()](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) ops::binary(Binary::multiply, ops::scalar(f, 2, x), d_y, d.destination(0));
      },
      [f](const Primals& p, const Tangents& t) {
        RZ_CHECK(value, !p[0].recorded(),
                 "scalar_derivative: a third derivative of {} was asked for, only two are there",
                 info(f.function).name);
        return multiply(Variable(ops::scalar(f, 2, p[0].value())), t[0]);
      });
}

}  // namespace rz
