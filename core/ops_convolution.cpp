// Windows over images, convolutions and batch norm.
#include "core/error.h"
#include "core/ops.h"
#include "core/ops_call.h"

namespace rz::ops {

namespace {

void check_window(const char* name, const Shape& x, const Window& window) {
  RZ_CHECK(shape, x.rank() == 4, "{}: x {} must be [n, height, width, channels]", name, x);
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    const std::int64_t kernel = window.kernel[side], extent = x[static_cast<int>(side) + 1];
    RZ_CHECK(value, kernel >= 1 && window.stride[side] >= 1 && window.padding[side] >= 0,
             "{}: a kernel of {}, stride of {} and padding of {} were given, but they must be at least 1, 1 and 0",
             name, kernel, window.stride[side], window.padding[side]);
    RZ_CHECK(shape, extent + 2 * window.padding[side] >= kernel,
             "{}: a kernel of {} is larger than the {} pixels of x {} with a padding of {}", name, kernel, extent, x,
             window.padding[side]);
  }
}

Shape unfolded(const Shape& x, const Window& window) {
  const Shape places = window.places(x);
  return {places[0], places[1], places[2], window.size(), places[3]};
}

std::int64_t conv_flops(const Shape& y, const Tensor& weight) {
  return 2 * y.elements() * weight.elements() / std::max<std::int64_t>(1, weight.shape()[0]);
}

Shape check_conv2d(const char* name, const Tensor& x, const Tensor& weight, const Window& window) {
  check_real(name, x);
  check_dtype(name, x, weight);
  check_window(name, x.shape(), window);
  const Shape& w = weight.shape();
  RZ_CHECK(shape, w.rank() == 4 && w[2] == window.kernel[0] && w[3] == window.kernel[1],
           "{}: weight {} must be [out, in, {}, {}]", name, w, window.kernel[0], window.kernel[1]);
  RZ_CHECK(shape, w[1] == x.shape()[3], "{}: x {} has {} channels, but weight {} reads {}", name, x.shape(),
           x.shape()[3], w, w[1]);
  return window.places(x.shape()).with(3, w[0]);
}

void check_batch_norm(const char* name, const Tensor& x, const Tensor& gain, const Tensor& bias) {
  check_real(name, x);
  RZ_CHECK(shape, x.shape().rank() >= 1, "{}: x {} needs an axis", name, x.shape());
  for (const Tensor* t : {&gain, &bias}) {
    check_dtype(name, x, *t);
    check_shape(name, t == &gain ? "gain" : "bias", *t, {x.shape().columns()});
  }
}

Operand as_rows(const Tensor& x) { return {x.operand().data, {x.shape().rows(), x.shape().columns()}, x.dtype()}; }
Target as_rows(const Destination& y, const Tensor& x) {
  Target target = target_or_none(y, x.dtype());
  target.shape = {x.shape().rows(), x.shape().columns()};
  return target;
}

}  // namespace

Tensor unfold(const Tensor& x, const Window& window) {
  check_real("unfold", x);
  check_window("unfold", x.shape(), window);
  Tensor y(unfolded(x.shape(), window), x.dtype(), x.device());
  begin("unfold", {&x}, y, 0).unfold(x.operand(), window, Destination{y}.target());
  return y;
}

void fold(const Tensor& d_y, const Window& window, const Destination& d_x) {
  const Tensor& x = d_x.tensor;
  Backend& device = begin("fold", {&d_y}, x, d_y.elements());
  check_window("fold", x.shape(), window);
  check_dtype("fold", x, d_y);
  check_shape("fold", "d_y", d_y, unfolded(x.shape(), window));
  device.fold(d_y.operand(), window, d_x.target());
}

Tensor largest_in_windows(const Tensor& x, const Window& window) {
  const char* const name = "largest_in_windows";
  check_real(name, x);
  check_window(name, x.shape(), window);
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}})  // each window then holds a pixel
    RZ_CHECK(value, 2 * window.padding[side] <= window.kernel[side],
             "{}: a padding of {} is more than half of the kernel of {}", name, window.padding[side],
             window.kernel[side]);
  Tensor y(window.places(x.shape()), DType::i64, x.device());
  begin(name, {&x}, y, y.elements() * window.size()).largest_in_windows(x.operand(), window, Destination{y}.target());
  return y;
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Window& window) {
  Tensor y(check_conv2d("conv2d", x, weight, window), x.dtype(), x.device());
  Workspace w(pool(x.device()));
  begin("conv2d", {&x, &weight}, y, conv_flops(y.shape(), weight))
      .conv2d(x.operand(), weight.operand(), window, Destination{y}.target(), w);
  return y;
}

void conv2d_vjp(const Tensor& x, const Tensor& weight, const Window& window, const Tensor& d_y, const Destination& d_x,
                const Destination& d_weight) {
  const char* const name = "conv2d_vjp";
  check_shape(name, "d_y", d_y, check_conv2d(name, x, weight, window));
  check_dtype(name, x, d_y);
  check_output(name, "d_x", d_x, x.shape(), x);
  check_output(name, "d_weight", d_weight, weight.shape(), x);
  Workspace w(pool(x.device()));
  const std::int64_t wanted = (d_x.tensor.defined() ? 1 : 0) + (d_weight.tensor.defined() ? 1 : 0);
  const Tensor& result = d_x.tensor.defined() ? d_x.tensor : d_y;
  begin(name, {&x, &weight, &d_y, if_defined(d_weight.tensor)}, result, wanted * conv_flops(d_y.shape(), weight))
      .conv2d_vjp(x.operand(), weight.operand(), window, d_y.operand(), target_or_none(d_x, x.dtype()),
                  target_or_none(d_weight, x.dtype()), w);
}

BatchNorm batch_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, const BatchNormOptions& options) {
  check_batch_norm("batch_norm", x, gain, bias);
  const BatchNorm result{like(x), like(gain), like(gain)};
  Workspace w(pool(x.device()));
  begin("batch_norm", {&x, &gain, &bias}, result.y, 8 * x.elements())
      .batch_norm(as_rows(x), gain.operand(), bias.operand(), options, as_rows({result.y}, x),
                  Destination{result.mean}.target(), Destination{result.variance}.target(), w);
  return result;
}

void batch_norm_vjp(const Tensor& x, const Tensor& gain, const Tensor& bias, const BatchNorm& forward,
                    const BatchNormOptions& options, const Tensor& d_y, const Destination& d_x,
                    const Destination& d_gain, const Destination& d_bias) {
  const char* const name = "batch_norm_vjp";
  check_batch_norm(name, x, gain, bias);
  check_shape(name, "d_y", d_y, x.shape());
  check_dtype(name, x, d_y);
  for (const Tensor* kept : {&forward.mean, &forward.variance}) {
    check_shape(name, "what the forward pass kept", *kept, gain.shape());
    check_dtype(name, x, *kept);
  }
  check_output(name, "d_x", d_x, x.shape(), x);
  check_output(name, "d_gain", d_gain, gain.shape(), x);
  check_output(name, "d_bias", d_bias, gain.shape(), x);
  Workspace w(pool(x.device()));
  const Tensor& result = d_x.tensor.defined() ? d_x.tensor : d_y;
  begin(name, {&x, &gain, &bias, &d_y, if_defined(d_gain.tensor), if_defined(d_bias.tensor)}, result, 16 * x.elements())
      .batch_norm_vjp(as_rows(x), gain.operand(), bias.operand(), forward.mean.operand(), forward.variance.operand(),
                      options, as_rows(d_y), as_rows(d_x, x), target_or_none(d_gain, x.dtype()),
                      target_or_none(d_bias, x.dtype()), w);
}

}  // namespace rz::ops
