// Batch norm: normalisation of columns over all other axes.

#include <utility>

#include "autograd/ops.h"
#include "autograd/ops/lift.h"
#include "autograd/ops/together.h"
#include "autograd/record.h"
#include "autograd/transforms.h"
#include "core/ops.h"

namespace rz {

namespace {

// Over all axes but the last and `directions` leading ones; the axes stay.
Variable mean_of_columns(const Variable& x, int directions) {
  std::vector<int> axes;
  std::int64_t rows = 1;
  for (int axis = directions; axis < x.shape().rank() - 1; ++axis) {
    axes.push_back(axis);
    rows *= x.shape()[axis];
  }
  return axes.empty() ? x : scale(1 / static_cast<double>(rows), sum(x, axes, true));
}
Variable number_like(const Variable& x, double value) {
  return Variable(Tensor::full({1}, value, x.dtype(), x.value().device()));
}
Variable inverse_deviation(const Variable& variance, double eps) {
  return reciprocal(sqrt(add(variance, number_like(variance, eps))));
}

}  // namespace

// y = f(z),   z = n gain + bias,   n = c r,   c = x - mean(x),   r = 1 / sqrt(mean(c^2) + eps), over the rows
//   d_x = r gain (g - mean(g) - n mean(g n)) with g = f'(z) d_y,   d_gain = sum of g n,   d_bias = sum of g
//   t_n = r (t_c - n mean(n t_c)),   t_c = t_x - mean(t_x),   t_y = f'(z) (t_n gain + n t_gain + t_bias)
Variable batch_norm(const Variable& x, const Variable& gain, const Variable& bias, const BatchNormOptions& options,
                    BatchStatistics* statistics) {
  require_row_independence(false, "batch_norm");
  const ops::BatchNorm forward = ops::batch_norm(x.value(), gain.value(), bias.value(), options);
  if (statistics) *statistics = {forward.mean, forward.variance};
  const Shape y = x.shape();
  return record(
      {"batch_norm", &options.f}, {x, gain, bias}, forward.y,
      [x = x.value(), gain = gain.value(), bias = bias.value(), mean = forward.mean, variance = forward.variance,
       options](const Tensor& d_y, Gradients& d) {
        write_together(d, [&](const Destination* to) {
          ops::batch_norm_vjp(x, gain, bias, {Tensor(), mean, variance}, options, d_y, to[0], to[1], to[2]);
        });
      },
      [y, options](const Primals& p, const Tangents& t) -> Variable {
        const Variable c = subtract(p[0], mean_of_columns(p[0], 0));
        const Variable r = inverse_deviation(mean_of_columns(square(c), 0), options.eps), n = multiply(c, r);
        Variable t_z = Sum()
                           .add(t.has(0),
                                [&] {
                                  const Variable t_c = subtract(t[0], mean_of_columns(t[0], 1));
                                  const Variable along = multiply(n, mean_of_columns(multiply(n, t_c), 1));
                                  return multiply(multiply(r, subtract(t_c, along)), p[1]);
                                })
                           .add(t.has(1), [&] { return multiply(n, align_tangent(t[1], y)); })
                           .add(t.has(2), [&] { return lift_tangent(t[2], y); });
        if (options.f.function == ScalarFunction::identity) return t_z;
        return multiply(t_z, scalar_derivative(options.f, add(multiply(n, p[1]), p[2])));
      });
}

Variable batch_norm(const Variable& x, const Variable& gain, const Variable& bias, const BatchStatistics& statistics,
                    const BatchNormOptions& options) {
  const Variable factor = multiply(gain, inverse_deviation(Variable(statistics.variance), options.eps));
  const Variable z = add(multiply(subtract(x, Variable(statistics.mean)), factor), bias);
  return options.f.function == ScalarFunction::identity ? z : scalar(options.f, z);
}

}  // namespace rz
