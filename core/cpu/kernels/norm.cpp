// Layer norm of rows and its vjp. A row stays in the cache while it is visited: mean, then variance about it (two
// passes, in f64 lanes), then output. Limit: memory. Of the vjp, d_x overwrites or accumulates; the sums over rows for
// gain and bias overwrite f64 rows of the caller's.
#include "core/cpu/kernels/lanes.h"
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

template <class T>
double mean_of(const T* x, std::int64_t n) {
  const double sum = sum_lanes(n, [x](const auto& read, std::int64_t i) { return read(x + i); });
  return sum / static_cast<double>(n);
}

template <class T>
double variance_about(double mean, const T* x, std::int64_t n) {
  const Wide center = all(mean);
  const double sum = sum_lanes(n, [x, &center](const auto& read, std::int64_t i) {
    Wide v = read(x + i) - center;
    read.clear_rest(v);
    return v * v;
  });
  return sum / static_cast<double>(n);
}

template <class T>
void layer_norm(const LayerNormBlock& s) {
  const T* gain = static_cast<const T*>(s.gain);
  const T* bias = static_cast<const T*>(s.bias);
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const T* x = static_cast<const T*>(s.x) + r * s.columns;
    T* y = static_cast<T*>(s.y) + r * s.columns;
    const T mean = static_cast<T>(mean_of(x, s.columns));
    const double variance = variance_about(static_cast<double>(mean), x, s.columns);
    const T inverse = static_cast<T>(1 / __builtin_sqrt(variance + s.eps));
    static_cast<T*>(s.mean)[r] = mean;
    static_cast<T*>(s.inverse_deviation)[r] = inverse;
    if (s.accumulate) {
      RZ_INDEPENDENT
      for (std::int64_t c = 0; c < s.columns; ++c) y[c] += (x[c] - mean) * inverse * gain[c] + bias[c];
    } else {
      RZ_INDEPENDENT
      for (std::int64_t c = 0; c < s.columns; ++c) y[c] = (x[c] - mean) * inverse * gain[c] + bias[c];
    }
  }
}

// With xhat = (x - mean) inverse and g = d_y gain:   d_x = inverse (g - mean(g) - xhat mean(g xhat)).
template <class T>
void row_d_x(const T* x, const T* gain, T mean, T inverse, const T* d_y, T* d_x, std::int64_t n, bool accumulate) {
  const double sum_g =
      sum_lanes(n, [d_y, gain](const auto& read, std::int64_t i) { return read(d_y + i) * read(gain + i); });
  const Wide center = all(static_cast<double>(mean));
  const double sum_gx = sum_lanes(n, [d_y, gain, x, &center](const auto& read, std::int64_t i) {
    return read(d_y + i) * read(gain + i) * (read(x + i) - center);
  });
  const double count = static_cast<double>(n);
  const T mean_g = static_cast<T>(sum_g / count);
  const T mean_gx = static_cast<T>(sum_gx * static_cast<double>(inverse) / count);
  if (accumulate) {
    RZ_INDEPENDENT
    for (std::int64_t c = 0; c < n; ++c)
      d_x[c] += inverse * (d_y[c] * gain[c] - mean_g - (x[c] - mean) * inverse * mean_gx);
  } else {
    RZ_INDEPENDENT
    for (std::int64_t c = 0; c < n; ++c)
      d_x[c] = inverse * (d_y[c] * gain[c] - mean_g - (x[c] - mean) * inverse * mean_gx);
  }
}

// d_gain += d_y xhat,  d_bias += d_y
template <class T>
void row_d_parameters(const T* x, T mean, T inverse, const T* d_y, double* d_gain, double* d_bias, std::int64_t n) {
  RZ_INDEPENDENT
  for (std::int64_t c = 0; c < n; ++c) {
    d_gain[c] += static_cast<double>(d_y[c] * ((x[c] - mean) * inverse));
    d_bias[c] += static_cast<double>(d_y[c]);
  }
}

template <class T>
void layer_norm_vjp(const LayerNormVjpBlock& s) {
  if (s.d_gain) {
    for (std::int64_t c = 0; c < s.columns; ++c) s.d_gain[c] = s.d_bias[c] = 0;
  }
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const T* x = static_cast<const T*>(s.x) + r * s.columns;
    const T* d_y = static_cast<const T*>(s.d_y) + r * s.columns;
    const T mean = static_cast<const T*>(s.mean)[r], inverse = static_cast<const T*>(s.inverse_deviation)[r];
    if (s.d_gain) row_d_parameters(x, mean, inverse, d_y, s.d_gain, s.d_bias, s.columns);
    if (!s.d_x) continue;
    T* d_x = static_cast<T*>(s.d_x) + r * s.columns;
    row_d_x(x, static_cast<const T*>(s.gain), mean, inverse, d_y, d_x, s.columns, s.accumulate);
  }
}

}  // namespace

namespace RZ_ISA {
constinit const NormKernels norm_kernels = {
    .layer_norm = {layer_norm<float>, layer_norm<double>},
    .layer_norm_vjp = {layer_norm_vjp<float>, layer_norm_vjp<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
