// Layer norm of rows and its vjp, and rms norm, which is the same about 0. A row stays in the cache while it is
// visited: mean, variance about it (two passes), output. Limit: the additions of the sums. Of the vjp, d_x overwrites
// or accumulates; the sums over rows for gain and bias overwrite f64 rows of the caller's.
#include "core/cpu/kernels/narrow.h"
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

// Sums that f32 cannot hold are done again in f64.

template <class T>
double mean_of(const T* x, std::int64_t n) {
  const auto element = [x](const auto& read, std::int64_t i) { return read(x + i); };
  double sum = sum_narrow<T>(n, element);
  if (!__builtin_isfinite(sum)) sum = sum_lanes(n, element);
  return sum / static_cast<double>(n);
}

// (x - center)^2 as a term; center in all lanes.
template <class T, class Lanes>
auto square_about(const Lanes& center, const T* x) {
  return [x, center](const auto& read, std::int64_t i) {
    Lanes v = read(x + i) - center;
    read.clear_rest(v);
    return v * v;
  };
}

// 1 / sqrt(mean of (x - mean)^2 + eps)
template <class T>
T inverse_deviation(T mean, const T* x, std::int64_t n, double eps) {
  double sum = sum_narrow<T>(n, square_about(all_of(mean), x));
  if (!(sum + eps > 1e-30 && __builtin_isfinite(sum)))
    sum = sum_lanes(n, square_about(all(static_cast<double>(mean)), x));
  return static_cast<T>(1 / __builtin_sqrt(sum / static_cast<double>(n) + eps));
}

// y[c] = f(c), or y[c] += f(c)
template <class T, class F>
void write_row(T* y, std::int64_t n, bool accumulate, const F& f) {
  if (accumulate) {
    RZ_INDEPENDENT
    for (std::int64_t c = 0; c < n; ++c) y[c] += f(c);
  } else {
    RZ_INDEPENDENT
    for (std::int64_t c = 0; c < n; ++c) y[c] = f(c);
  }
}

// Rows that go through each step together, so that the latencies of their sums and roots overlap.
constexpr std::int64_t rows_together = 16;
std::int64_t end_of_group(std::int64_t first, std::int64_t rows) {
  return rows - first < rows_together ? rows : first + rows_together;
}

template <class T>
void norm_row(const NormBlock& s, std::int64_t r, T mean, T inverse) {
  const T *x = static_cast<const T*>(s.x) + r * s.columns, *gain = static_cast<const T*>(s.gain);
  const T* bias = static_cast<const T*>(s.bias);
  T* y = static_cast<T*>(s.y) + r * s.columns;
  if (bias)
    write_row(y, s.columns, s.accumulate, [=](std::int64_t c) { return (x[c] - mean) * inverse * gain[c] + bias[c]; });
  else
    write_row(y, s.columns, s.accumulate, [=](std::int64_t c) { return x[c] * inverse * gain[c]; });
}

template <class T>
void norm(const NormBlock& s) {
  T* const means = static_cast<T*>(s.mean);
  T* const inverses = static_cast<T*>(s.inverse_deviation);
  const auto row = [&s](std::int64_t r) { return static_cast<const T*>(s.x) + r * s.columns; };
  const auto mean = [means](std::int64_t r) { return means ? means[r] : T(0); };
  for (std::int64_t first = 0; first < s.rows; first += rows_together) {
    const std::int64_t end = end_of_group(first, s.rows);
    for (std::int64_t r = first; r < end && means; ++r) means[r] = static_cast<T>(mean_of(row(r), s.columns));
    for (std::int64_t r = first; r < end; ++r) inverses[r] = inverse_deviation(mean(r), row(r), s.columns, s.eps);
    for (std::int64_t r = first; r < end; ++r) norm_row(s, r, mean(r), inverses[r]);
  }
}

// ---- vjp: with xhat = (x - mean) inverse and g = d_y gain,   d_x = inverse (g - mean(g) - xhat mean(g xhat)), where
// mean(g) is left out if there is no mean ----

template <class T>
struct NormRow {
  const T *x, *d_y;
  T mean, inverse;
  NormRow(const NormVjpBlock& s, std::int64_t r)
      : x(static_cast<const T*>(s.x) + r * s.columns),
        d_y(static_cast<const T*>(s.d_y) + r * s.columns),
        mean(s.mean ? static_cast<const T*>(s.mean)[r] : T(0)),
        inverse(static_cast<const T*>(s.inverse_deviation)[r]) {}
};

template <class T>
void row_d_x(const NormRow<T>& row, const NormVjpBlock& s, T* d_x) {
  const T *x = row.x, *d_y = row.d_y, *gain = static_cast<const T*>(s.gain);
  const T mean = row.mean, inverse = row.inverse;
  const auto g = [=](const auto& read, std::int64_t i) { return read(d_y + i) * read(gain + i); };
  const auto g_xhat = [=, center = all_of(mean), scale = all_of(inverse)](const auto& read, std::int64_t i) {
    return g(read, i) * ((read(x + i) - center) * scale);
  };
  const double n = static_cast<double>(s.columns);
  const T mean_g = s.mean ? static_cast<T>(sum_narrow<T>(s.columns, g) / n) : T(0);
  const T mean_gx = static_cast<T>(sum_narrow<T>(s.columns, g_xhat) / n);
  write_row(d_x, s.columns, s.accumulate,
            [=](std::int64_t c) { return inverse * (d_y[c] * gain[c] - mean_g - (x[c] - mean) * inverse * mean_gx); });
}

// d_gain += d_y xhat,  d_bias += d_y of some rows, the columns from c on: added up in T over few rows, so that f64 is
// read and written once for all of them.
template <class T, class Read>
void add_d_parameters(const NormVjpBlock& s, std::int64_t first, std::int64_t end, std::int64_t c, const Read& read,
                      std::int64_t columns) {
  Narrow<T> d_gain{}, d_bias{};
  for (std::int64_t r = first; r < end; ++r) {
    const NormRow<T> row(s, r);
    const Narrow<T> d_y = read(row.d_y + c);
    d_gain += d_y * ((read(row.x + c) - all_of(row.mean)) * all_of(row.inverse));
    d_bias += d_y;
  }
  T sums[2][Narrow<T>::count];
  __builtin_memcpy(sums, &d_gain, sizeof d_gain);
  __builtin_memcpy(sums[1], &d_bias, sizeof d_bias);
  for (std::int64_t k = 0; k < columns; ++k) s.d_gain[c + k] += static_cast<double>(sums[0][k]);
  for (std::int64_t k = 0; k < columns && s.d_bias; ++k) s.d_bias[c + k] += static_cast<double>(sums[1][k]);
}
template <class T>
void add_d_parameters(const NormVjpBlock& s, std::int64_t first, std::int64_t end) {
  constexpr std::int64_t count = Narrow<T>::count;
  std::int64_t c = 0;
  for (; c + count <= s.columns; c += count) add_d_parameters<T>(s, first, end, c, ReadAll{}, count);
  if (c < s.columns) add_d_parameters<T>(s, first, end, c, ReadSome{s.columns - c}, s.columns - c);
}

template <class T>
void norm_vjp(const NormVjpBlock& s) {
  for (std::int64_t c = 0; c < s.columns && s.d_gain; ++c) s.d_gain[c] = 0;
  for (std::int64_t c = 0; c < s.columns && s.d_bias; ++c) s.d_bias[c] = 0;
  for (std::int64_t first = 0; first < s.rows; first += rows_together) {
    const std::int64_t end = end_of_group(first, s.rows);
    if (s.d_gain) add_d_parameters<T>(s, first, end);
    for (std::int64_t r = first; r < end && s.d_x; ++r)
      row_d_x(NormRow<T>(s, r), s, static_cast<T*>(s.d_x) + r * s.columns);
  }
}

}  // namespace

namespace RZ_ISA {
constinit const NormKernels norm_kernels = {
    .norm = {norm<float>, norm<double>},
    .vjp = {norm_vjp<float>, norm_vjp<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
