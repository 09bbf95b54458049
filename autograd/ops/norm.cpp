// Layer normalisation.

#include "autograd/ops.h"
#include "autograd/ops/lift.h"
#include "autograd/record.h"
#include "core/ops.h"

namespace rz {

namespace {
Variable mean_last(const Variable& x) {
  const int last[] = {x.shape().rank() - 1};
  return scale(1.0 / static_cast<double>(x.shape().columns()), sum(x, last, true));
}
}  // namespace

// y = n gain + bias,   n = c r,   c = x - mean(x),   r = 1 / sqrt(mean(c^2) + eps), over the last axis
//   d_x = r (g - mean(g) - n mean(g n)) with g = d_y gain,   d_gain = sum of d_y n over rows,   d_bias = sum of d_y
//   over rows t_n = r (t_c - n mean(n t_c)),   t_c = t_x - mean(t_x),   t_y = t_n gain + n t_gain + t_bias
Variable layer_norm(const Variable& x, const Variable& gain, const Variable& bias, double eps) {
  const ops::LayerNorm forward = ops::layer_norm(x.value(), gain.value(), bias.value(), eps);
  const Shape y = x.shape();
  return record(
      "layer_norm", {x, gain, bias}, forward.y,
      [x = x.value(), gain = gain.value(), mean = forward.mean, r = forward.inverse_deviation](const Tensor& d_y,
                                                                                               Gradients& d) {
        Destination to[3];
        const auto run = [&] { ops::layer_norm_vjp(x, gain, {Tensor(), mean, r}, d_y, to[0], to[1], to[2]); };
        const bool apart = d.same(0, 1) || d.same(0, 2) || d.same(1, 2);
        for (int i = 0; i < 3; ++i) {
          if (!d.wanted(i)) continue;
          to[i] = d.destination(i);
          if (!apart) continue;
          run();
          to[i] = Destination{};
        }
        if (!apart) run();
      },
      [y, eps](const Primals& p, const Tangents& t) -> Variable {
        const Variable c = subtract(p[0], mean_last(p[0]));
        const Variable variance =
            add(mean_last(square(c)), Variable(Tensor::full({1}, eps, c.dtype(), c.value().device())));
        const Variable r = reciprocal(sqrt(variance)), n = multiply(c, r);
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

}  // namespace rz
