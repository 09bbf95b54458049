// Layer normalisation, and normalisation by the root mean square.

#include <utility>

#include "autograd/ops.h"
#include "autograd/ops/lift.h"
#include "autograd/ops/together.h"
#include "autograd/record.h"
#include "core/ops.h"

namespace rz {

namespace {
Variable mean_last(const Variable& x) {
  const int last[] = {x.shape().rank() - 1};
  return scale(1.0 / static_cast<double>(x.shape().columns()), sum(x, last, true));
}
Variable inverse_root(const Variable& x, double eps) {  // 1 / sqrt(mean(x^2) + eps)
  return reciprocal(sqrt(add(mean_last(square(x)), Variable(Tensor::full({1}, eps, x.dtype(), x.value().device())))));
}
}  // namespace

// y = n gain + bias,   n = c r,   c = x - mean(x),   r = 1 / sqrt(mean(c^2) + eps), over the last axis
//   d_x = r (g - mean(g) - n mean(g n)) with g = d_y gain,   d_gain = sum of d_y n over rows,   d_bias = sum of d_y
//   t_n = r (t_c - n mean(n t_c)),   t_c = t_x - mean(t_x),   t_y = t_n gain + n t_gain + t_bias
Variable layer_norm(const Variable& x, const Variable& gain, const Variable& bias, double eps) {
  const ops::LayerNorm forward = ops::layer_norm(x.value(), gain.value(), bias.value(), eps);
  const Shape y = x.shape();
  return record(
      "layer_norm", {x, gain, bias}, forward.y,
      [x = x.value(), gain = gain.value(), mean = forward.mean, r = forward.inverse_deviation](const Tensor& d_y,
                                                                                               Gradients& d) {
        write_together(d, [&](const Destination* to) {
          ops::layer_norm_vjp(x, gain, {Tensor(), mean, r}, d_y, to[0], to[1], to[2]);
        });
      },
      [y, eps](const Primals& p, const Tangents& t) -> Variable {
        const Variable c = subtract(p[0], mean_last(p[0]));
        const Variable r = inverse_root(c, eps), n = multiply(c, r);
        return Sum()
            .add(t.has(0),
                 [&] {
                   const Variable t_c = subtract(t[0], mean_last(t[0]));
                   return multiply(multiply(r, subtract(t_c, multiply(n, mean_last(multiply(n, t_c))))), p[1]);
                 })
            .add(t.has(1), [&] { return multiply(n, align_tangent(t[1], y)); })
            .add(t.has(2), [&] { return lift_tangent(t[2], y); });
      });
}

// y = n gain,   n = x r,   r = 1 / sqrt(mean(x^2) + eps), over the last axis
//   d_x = r (g - n mean(g n)) with g = d_y gain,   d_gain = sum of d_y n over rows
//   t_n = r (t_x - n mean(n t_x)),   t_y = t_n gain + n t_gain
Variable rms_norm(const Variable& x, const Variable& gain, double eps) {
  const ops::RmsNorm forward = ops::rms_norm(x.value(), gain.value(), eps);
  const Shape y = x.shape();
  return record(
      "rms_norm", {x, gain}, forward.y,
      [x = x.value(), gain = gain.value(), r = forward.inverse_rms](const Tensor& d_y, Gradients& d) {
        Destination d_x = d.wanted(0) ? d.destination(0) : Destination{};
        if (d.same(0, 1)) ops::rms_norm_vjp(x, gain, r, d_y, std::exchange(d_x, {}), {});
        const Destination d_gain = d.wanted(1) ? d.destination(1) : Destination{};
        ops::rms_norm_vjp(x, gain, r, d_y, d_x, d_gain);
      },
      [y, eps](const Primals& p, const Tangents& t) -> Variable {
        const Variable r = inverse_root(p[0], eps), n = multiply(p[0], r);
        return Sum()
            .add(t.has(0),
                 [&] { return multiply(multiply(r, subtract(t[0], multiply(n, mean_last(multiply(n, t[0]))))), p[1]); })
            .add(t.has(1), [&] { return multiply(n, align_tangent(t[1], y)); });
      });
}

}  // namespace rz
