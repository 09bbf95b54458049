// Windows over images, and convolutions. x [n, height, width, channels].

#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/error.h"
#include "core/ops.h"

namespace rz {

namespace {

// Directions beside examples: t [k, n, ...] as [k n, ...], and back.
Variable as_examples(const Variable& t) {
  const auto extents = t.shape().extents();
  std::vector<std::int64_t> merged(extents.begin() + 1, extents.end());
  merged[0] *= extents[0];
  return reshape(t, Shape(merged));
}
Variable as_directions(const Variable& y, const Shape& t) {
  return reshape(y, y.shape().with(0, t[1]).prepended(t[0]));
}

}  // namespace

// y = what stands in each window.   d_x: the sum of d_y at each pixel;   t_y = what stands of t_x
Variable unfold(const Variable& x, const Window& window) {
  Tensor value = ops::unfold(x.value(), window);
  return record(
      "unfold", {x}, std::move(value),
      [window](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) ops::fold(d_y, window, d.destination(0));
      },
      [&](const Primals&, const Tangents& t) {
        return as_directions(unfold(as_examples(t[0]), window), t[0].shape());
      });
}

// y[n, i, j, o] = sum over k, l, c of x[n, s i + k - p, s j + l - p, c] W[o, c, k, l]
//   d_x = d_y convolved with W turned round, d_W = the correlation of x with d_y
//   t_y = conv2d(t_x, W) + conv2d(x, t_W)
Variable conv2d(const Variable& x, const Variable& weight, const Window& window) {
  Tensor value = ops::conv2d(x.value(), weight.value(), window);
  return record(
      "conv2d", {x, weight}, std::move(value),
      [x = x.value(), weight = weight.value(), window](const Tensor& d_y, Gradients& d) {
        Destination d_x = d.wanted(0) ? d.destination(0) : Destination{};
        if (d.same(0, 1)) ops::conv2d_vjp(x, weight, window, d_y, std::exchange(d_x, {}), {});
        const Destination d_weight = d.wanted(1) ? d.destination(1) : Destination{};
        ops::conv2d_vjp(x, weight, window, d_y, d_x, d_weight);
      },
      [&](const Primals& p, const Tangents& t) -> Variable {
        return Sum()
            .add(t.has(0), [&] { return as_directions(conv2d(as_examples(t[0]), p[1], window), t[0].shape()); })
            .add(t.has(1), [&] {  // k sets of weights are k times as many outputs
              const std::int64_t k = t[1].shape()[0];
              const Variable y = conv2d(p[0], as_examples(t[1]), window);
              const Shape& s = y.shape();
              const int directions_first[] = {3, 0, 1, 2, 4};
              return permute(reshape(y, {s[0], s[1], s[2], k, t[1].shape()[1]}), directions_first);
            });
      });
}

// y = the largest number of each window: a selection of x's numbers.
Variable max_pool(const Variable& x, const Window& window) {
  const Tensor chosen = ops::largest_in_windows(x.value(), window);
  const std::int64_t count = chosen.elements();
  return reshape(gather_rows(reshape(x, {x.value().elements()}), chosen.reshape({count})), chosen.shape());
}

Variable average_pool(const Variable& x, const Window& window) {
  const int positions[] = {3};
  return scale(1 / static_cast<double>(window.size()), sum(unfold(x, window), positions));
}

Variable global_average_pool(const Variable& x) {
  RZ_CHECK(shape, x.shape().rank() == 4, "global_average_pool: x {} must be [n, height, width, channels]", x.shape());
  const int pixels[] = {1, 2};
  return scale(1 / static_cast<double>(x.shape()[1] * x.shape()[2]), sum(x, pixels));
}

Variable subsample(const Variable& x, std::int64_t stride) {
  const Variable windows = unfold(x, {.kernel = {1, 1}, .stride = {stride, stride}});
  const Shape& s = windows.shape();
  return reshape(windows, {s[0], s[1], s[2], s[4]});
}

}  // namespace rz
