// Convolution and batch norm of primitives: the default bodies.
#include "core/backend.h"

namespace rz {

namespace {

Target array(const Shape& shape, DType type, Workspace& w) {
  return {w.bytes(static_cast<std::size_t>(shape.elements()) * size_of(type)), shape, type, false};
}
Operand read(const Target& t) { return {t.data, t.shape, t.dtype}; }
Operand read_as(const Target& t, const Shape& shape) { return {t.data, shape, t.dtype}; }

// Windows side by side, [n places places, window.size() channels].
Target windows_of(Backend& backend, const Operand& x, const Window& window, Workspace& w) {
  const Shape places = window.places(x.shape);
  const Target all = array({places[0], places[1], places[2], window.size(), places[3]}, x.dtype, w);
  backend.unfold(x, window, all);
  return {all.data, {places.rows(), window.size() * places[3]}, x.dtype, false};
}

// The order of unfolded windows: [out, in, kernel, kernel] -> [out, kernel, kernel, in].
constexpr int channels_last[] = {0, 2, 3, 1}, channels_second[] = {0, 3, 1, 2};

// [1, columns], as reductions over rows leave it.
Shape one_row(const Operand& x) { return {1, x.shape[1]}; }
Operand as_row(const Operand& x) { return {x.data, {1, x.shape[0]}, x.dtype}; }

Operand number(Backend& backend, double value, DType type, Workspace& w) {
  const Target x = array({1}, type, w);
  backend.fill(value, x);
  return read(x);
}

void mean_of_rows(Backend& backend, const Operand& x, const Target& y, Workspace& w) {
  backend.reduce(Reduction::sum, x, y, w);
  backend.scale(1 / static_cast<double>(x.shape[0]), read(y), y);
}

// What batch norm and its vjp compute first: n = (x - mean) r with r = 1 / sqrt(variance + eps), z = n gain + bias.
struct Normalised {
  Target r, n, z;
};
Normalised normalised(Backend& backend, const Operand& x, const Operand& mean, const Operand& variance,
                      const Operand& gain, const Operand& bias, double eps, Workspace& w) {
  const Normalised out{array(one_row(x), x.dtype, w), array(x.shape, x.dtype, w), array(x.shape, x.dtype, w)};
  backend.binary(Binary::add, as_row(variance), number(backend, eps, x.dtype, w), out.r);
  backend.scalar(ScalarFunction::sqrt, 0, read(out.r), out.r);
  backend.scalar(ScalarFunction::reciprocal, 0, read(out.r), out.r);
  backend.binary(Binary::subtract, x, as_row(mean), out.n);
  backend.binary(Binary::multiply, read(out.n), read(out.r), out.n);
  backend.binary(Binary::multiply, read(out.n), as_row(gain), out.z);
  backend.binary(Binary::add, read(out.z), as_row(bias), out.z);
  return out;
}

}  // namespace

void Backend::conv2d(const Operand& x, const Operand& weight, const Window& window, const Target& y, Workspace& w) {
  const Target windows = windows_of(*this, x, window, w);
  const std::int64_t out = weight.shape[0], depth = windows.shape[1];
  const Target matrix = array({out, window.kernel[0], window.kernel[1], weight.shape[1]}, x.dtype, w);
  permute(weight, channels_last, matrix);
  gemm(Transpose::no, read(windows), Transpose::yes, read_as(matrix, {out, depth}), 1,
       {y.data, {windows.shape[0], out}, y.dtype, y.accumulate}, w);
}

void Backend::conv2d_vjp(const Operand& x, const Operand& weight, const Window& window, const Operand& d_y,
                         const Target& d_x, const Target& d_weight, Workspace& w) {
  const std::int64_t out = weight.shape[0], depth = window.size() * weight.shape[1], rows = d_y.shape.rows();
  const Target matrix = array({out, window.kernel[0], window.kernel[1], weight.shape[1]}, x.dtype, w);
  const Operand d_rows{d_y.data, {rows, out}, d_y.dtype};
  if (d_weight.data) {
    Workspace products(w.pool());
    const Target windows = windows_of(*this, x, window, products);
    gemm(Transpose::yes, d_rows, Transpose::no, read(windows), 1, {matrix.data, {out, depth}, x.dtype, false},
         products);
    permute(read(matrix), channels_second, d_weight);
  }
  if (!d_x.data) return;
  permute(weight, channels_last, matrix);
  const Shape places = d_y.shape;
  const Target d_windows = array({places[0], places[1], places[2], window.size(), x.shape[3]}, x.dtype, w);
  gemm(Transpose::no, d_rows, Transpose::no, read_as(matrix, {out, depth}), 1,
       {d_windows.data, {rows, depth}, x.dtype, false}, w);
  fold(read(d_windows), window, d_x);
}

void Backend::batch_norm(const Operand& x, const Operand& gain, const Operand& bias, const BatchNormOptions& options,
                         const Target& y, const Target& mean, const Target& variance, Workspace& w) {
  const Target centred = array(x.shape, x.dtype, w);
  const Target mean_row{mean.data, one_row(x), x.dtype, false}, variance_row{variance.data, one_row(x), x.dtype, false};
  mean_of_rows(*this, x, mean_row, w);
  binary(Binary::subtract, x, read(mean_row), centred);
  scalar(ScalarFunction::square, 0, read(centred), centred);
  mean_of_rows(*this, read(centred), variance_row, w);
  Workspace scratch(w.pool());
  const Normalised forward = normalised(*this, x, read(mean), read(variance), gain, bias, options.eps, scratch);
  scalar(options.f, 0, read(forward.z), y);
}

// With g = f'(z) d_y:   d_x = r gain (g - mean(g) - n mean(g n)),   d_gain = sum of g n,   d_bias = sum of g
void Backend::batch_norm_vjp(const Operand& x, const Operand& gain, const Operand& bias, const Operand& mean,
                             const Operand& variance, const BatchNormOptions& options, const Operand& d_y,
                             const Target& d_x, const Target& d_gain, const Target& d_bias, Workspace& w) {
  const Normalised forward = normalised(*this, x, mean, variance, gain, bias, options.eps, w);
  if (info(options.f.function).uses_output) scalar(options.f, 0, read(forward.z), forward.z);
  const Target g = forward.z, product = array(x.shape, x.dtype, w);
  scalar_vjp(options.f, read(forward.z), d_y, g);
  binary(Binary::multiply, read(g), read(forward.n), product);
  const auto give = [&](const Target& values, const Target& d) {
    if (d.data) reduce(Reduction::sum, read(values), {d.data, one_row(x), d.dtype, d.accumulate}, w);
  };
  Workspace scratch(w.pool());
  give(g, d_bias);
  give(product, d_gain);
  if (!d_x.data) return;
  const Target mean_g = array(one_row(x), x.dtype, scratch), mean_gn = array(one_row(x), x.dtype, scratch);
  mean_of_rows(*this, read(g), mean_g, scratch);
  mean_of_rows(*this, read(product), mean_gn, scratch);
  binary(Binary::multiply, read(forward.n), read(mean_gn), forward.n);
  binary(Binary::subtract, read(g), read(mean_g), g);
  binary(Binary::subtract, read(g), read(forward.n), g);
  binary(Binary::multiply, read(forward.r), as_row(gain), forward.r);
  binary(Binary::multiply, read(g), read(forward.r), d_x);
}

}  // namespace rz
