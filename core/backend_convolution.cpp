// Convolution and batch norm of primitives: the default bodies.
#include "core/backend.h"

namespace rz {

namespace {

Target scratch_array(const Shape& shape, DType type, Workspace& w) {
  return {w.bytes(static_cast<std::size_t>(shape.elements()) * size_of(type)), shape, type, false};
}
Operand operand_of(const Target& t) { return {t.data, t.shape, t.dtype}; }
Operand operand_as(const Target& t, const Shape& shape) { return {t.data, shape, t.dtype}; }

// Windows side by side, [n places places, window.size() channels].
Target windows_of(Backend& backend, const Operand& x, const Window& window, Workspace& w) {
  const Shape places = window.places(x.shape);
  const Target all = scratch_array({places[0], places[1], places[2], window.size(), places[3]}, x.dtype, w);
  backend.unfold(x, window, all);
  return {all.data, {places.rows(), window.size() * places[3]}, x.dtype, false};
}

// The order of unfolded windows: [out, in, kernel, kernel] -> [out, kernel, kernel, in].
constexpr int channels_last[] = {0, 2, 3, 1}, channels_second[] = {0, 3, 1, 2};

// [1, columns], as reductions over rows leave it.
Shape row_shape(const Operand& x) { return {1, x.shape[1]}; }
Operand as_row(const Operand& x) { return {x.data, {1, x.shape[0]}, x.dtype}; }

Operand filled(Backend& backend, double value, DType type, Workspace& w) {
  const Target x = scratch_array({1}, type, w);
  backend.fill(value, x);
  return operand_of(x);
}

void mean_of_rows(Backend& backend, const Operand& x, const Target& y, Workspace& w) {
  backend.reduce(Reduction::sum, x, y, w);
  backend.scale(1 / static_cast<double>(x.shape[0]), operand_of(y), y);
}

// What batch norm and its vjp compute first: n = (x - mean) r with r = 1 / sqrt(variance + eps), z = n gain + bias.
struct Normalised {
  Target r, n, z;
};
Normalised normalised(Backend& backend, const Operand& x, const Operand& mean, const Operand& variance,
                      const Operand& gain, const Operand& bias, double eps, Workspace& w) {
  const Normalised out{scratch_array(row_shape(x), x.dtype, w), scratch_array(x.shape, x.dtype, w),
                       scratch_array(x.shape, x.dtype, w)};
  backend.binary(Binary::add, as_row(variance), filled(backend, eps, x.dtype, w), out.r);
  backend.scalar(ScalarFunction::sqrt, 0, operand_of(out.r), out.r);
  backend.scalar(ScalarFunction::reciprocal, 0, operand_of(out.r), out.r);
  backend.binary(Binary::subtract, x, as_row(mean), out.n);
  backend.binary(Binary::multiply, operand_of(out.n), operand_of(out.r), out.n);
  backend.binary(Binary::multiply, operand_of(out.n), as_row(gain), out.z);
  backend.binary(Binary::add, operand_of(out.z), as_row(bias), out.z);
  return out;
}

}  // namespace

void Backend::conv2d(const Operand& x, const Operand& weight, const Window& window, const Target& y, Workspace& w) {
  const Target windows = windows_of(*this, x, window, w);
  const std::int64_t out = weight.shape[0], depth = windows.shape[1];
  const Target matrix = scratch_array({out, window.kernel[0], window.kernel[1], weight.shape[1]}, x.dtype, w);
  permute(weight, channels_last, matrix);
  gemm(Transpose::no, operand_of(windows), Transpose::yes, operand_as(matrix, {out, depth}), 1,
       {y.data, {windows.shape[0], out}, y.dtype, y.accumulate}, w);
}

void Backend::conv2d_vjp(const Operand& x, const Operand& weight, const Window& window, const Operand& d_y,
                         const Target& d_x, const Target& d_weight, Workspace& w) {
  const std::int64_t out = weight.shape[0], depth = window.size() * weight.shape[1], rows = d_y.shape.rows();
  const Target matrix = scratch_array({out, window.kernel[0], window.kernel[1], weight.shape[1]}, x.dtype, w);
  const Operand d_rows{d_y.data, {rows, out}, d_y.dtype};
  if (d_weight.data) {
    Workspace products(w.pool());
    const Target windows = windows_of(*this, x, window, products);
    gemm(Transpose::yes, d_rows, Transpose::no, operand_of(windows), 1, {matrix.data, {out, depth}, x.dtype, false},
         products);
    permute(operand_of(matrix), channels_second, d_weight);
  }
  if (!d_x.data) return;
  permute(weight, channels_last, matrix);
  const Shape places = d_y.shape;
  const Target d_windows = scratch_array({places[0], places[1], places[2], window.size(), x.shape[3]}, x.dtype, w);
  gemm(Transpose::no, d_rows, Transpose::no, operand_as(matrix, {out, depth}), 1,
       {d_windows.data, {rows, depth}, x.dtype, false}, w);
  fold(operand_of(d_windows), window, d_x);
}

void Backend::batch_norm(const Operand& x, const Operand& gain, const Operand& bias, const BatchNormOptions& options,
                         const Target& y, const Target& mean, const Target& variance, Workspace& w) {
  const Target centred = scratch_array(x.shape, x.dtype, w);
  const Target mean_row{mean.data, row_shape(x), x.dtype, false},
      variance_row{variance.data, row_shape(x), x.dtype, false};
  mean_of_rows(*this, x, mean_row, w);
  binary(Binary::subtract, x, operand_of(mean_row), centred);
  scalar(ScalarFunction::square, 0, operand_of(centred), centred);
  mean_of_rows(*this, operand_of(centred), variance_row, w);
  Workspace scratch(w.pool());
  const Normalised forward =
      normalised(*this, x, operand_of(mean), operand_of(variance), gain, bias, options.eps, scratch);
  scalar(options.f, 0, operand_of(forward.z), y);
}

// With g = f'(z) d_y:   d_x = r gain (g - mean(g) - n mean(g n)),   d_gain = sum of g n,   d_bias = sum of g
void Backend::batch_norm_vjp(const Operand& x, const Operand& gain, const Operand& bias, const Operand& mean,
                             const Operand& variance, const BatchNormOptions& options, const Operand& d_y,
                             const Target& d_x, const Target& d_gain, const Target& d_bias, Workspace& w) {
  const Normalised forward = normalised(*this, x, mean, variance, gain, bias, options.eps, w);
  if (info(options.f.function).uses_output) scalar(options.f, 0, operand_of(forward.z), forward.z);
  const Target g = forward.z, product = scratch_array(x.shape, x.dtype, w);
  scalar_vjp(options.f, operand_of(forward.z), d_y, g);
  binary(Binary::multiply, operand_of(g), operand_of(forward.n), product);
  const auto give = [&](const Target& values, const Target& d) {
    if (d.data) reduce(Reduction::sum, operand_of(values), {d.data, row_shape(x), d.dtype, d.accumulate}, w);
  };
  Workspace scratch(w.pool());
  give(g, d_bias);
  give(product, d_gain);
  if (!d_x.data) return;
  const Target mean_g = scratch_array(row_shape(x), x.dtype, scratch),
               mean_gn = scratch_array(row_shape(x), x.dtype, scratch);
  mean_of_rows(*this, operand_of(g), mean_g, scratch);
  mean_of_rows(*this, operand_of(product), mean_gn, scratch);
  binary(Binary::multiply, operand_of(forward.n), operand_of(mean_gn), forward.n);
  binary(Binary::subtract, operand_of(g), operand_of(mean_g), g);
  binary(Binary::subtract, operand_of(g), operand_of(forward.n), g);
  binary(Binary::multiply, operand_of(forward.r), as_row(gain), forward.r);
  binary(Binary::multiply, operand_of(g), operand_of(forward.r), d_x);
}

}  // namespace rz
