// Layer norm of rows and its vjp, and rms norm, which is the same about 0. Some rows go through each step together:
// mean, variance about it (two passes, in f64 lanes), output; they stay in the cache, and the latencies of their sums
// and roots overlap. Limit: memory. Of the vjp, d_x overwrites or accumulates; the sums over rows for gain and bias
// overwrite f64 rows of the caller's.
#include "core/cpu/kernels/lanes.h"
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

constexpr std::int64_t most_together = 8, elements_together = 4096;
std::int64_t rows_together(std::int64_t columns) {
  const std::int64_t rows = elements_together / (columns > 0 ? columns : 1);
  return rows < 1 ? 1 : rows > most_together ? most_together : rows;
}

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

template <class T>
void norm_row(const NormBlock& s, std::int64_t r, T mean, T inverse) {
  const T *x = static_cast<const T*>(s.x) + r * s.columns, *gain = static_cast<const T*>(s.gain);
  const T* bias = static_cast<const T*>(s.bias);
  T* y = static_cast<T*>(s.y) + r * s.columns;
  if (bias) {
    write_row(y, s.columns, s.accumulate, [=](std::int64_t c) { return (x[c] - mean) * inverse * gain[c] + bias[c]; });
  } else {
    write_row(y, s.columns, s.accumulate, [=](std::int64_t c) { return x[c] * inverse * gain[c]; });
  }
}

template <class T>
void norm(const NormBlock& s) {
  const std::int64_t step = rows_together(s.columns);
  T* const inverses = static_cast<T*>(s.inverse_deviation);
  for (std::int64_t first = 0; first < s.rows; first += step) {
    const std::int64_t rows = s.rows - first < step ? s.rows - first : step;
    const T* const x = static_cast<const T*>(s.x) + first * s.columns;
    T mean[most_together] = {};
    for (std::int64_t r = 0; r < rows && s.mean; ++r) {
      mean[r] = static_cast<T>(mean_of(x + r * s.columns, s.columns));
      static_cast<T*>(s.mean)[first + r] = mean[r];
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      const double variance = variance_about(static_cast<double>(mean[r]), x + r * s.columns, s.columns);
      inverses[first + r] = static_cast<T>(1 / __builtin_sqrt(variance + s.eps));
    }
    for (std::int64_t r = 0; r < rows; ++r) norm_row(s, first + r, mean[r], inverses[first + r]);
  }
}

// ---- vjp: with xhat = (x - mean) inverse and g = d_y gain,   d_x = inverse (g - mean(g) - xhat mean(g xhat)), where
// mean(g) is left out if there is no mean ----

template <class T>
struct VjpRow {
  const T *x, *d_y;
  T mean, inverse;
  T mean_g, mean_gx;
};

template <class T>
void find_means(VjpRow<T>& row, const T* gain, std::int64_t n, bool centered) {
  const T *x = row.x, *d_y = row.d_y;
  const double count = static_cast<double>(n);
  row.mean_g = 0;
  if (centered) {
    const double sum =
        sum_lanes(n, [d_y, gain](const auto& read, std::int64_t i) { return read(d_y + i) * read(gain + i); });
    row.mean_g = static_cast<T>(sum / count);
  }
  const Wide center = all(static_cast<double>(row.mean));
  const double sum = sum_lanes(n, [d_y, gain, x, &center](const auto& read, std::int64_t i) {
    return read(d_y + i) * read(gain + i) * (read(x + i) - center);
  });
  row.mean_gx = static_cast<T>(sum * static_cast<double>(row.inverse) / count);
}

template <class T>
void write_d_x(const VjpRow<T>& row, const T* gain, T* d_x, std::int64_t n, bool accumulate) {
  const T *x = row.x, *d_y = row.d_y;
  const T mean = row.mean, inverse = row.inverse, mean_g = row.mean_g, mean_gx = row.mean_gx;
  write_row(d_x, n, accumulate,
            [=](std::int64_t c) { return inverse * (d_y[c] * gain[c] - mean_g - (x[c] - mean) * inverse * mean_gx); });
}

// d_gain += d_y xhat,  d_bias += d_y of some rows: added up in T, so that f64 is read and written once for all of them
template <class T>
void add_d_parameters(const VjpRow<T>* rows, std::int64_t count, const NormVjpBlock& s) {
  constexpr std::int64_t most = 64;
  for (std::int64_t first = 0; first < s.columns; first += most) {
    const std::int64_t n = s.columns - first < most ? s.columns - first : most;
    T d_gain[most] = {}, d_bias[most] = {};
    for (std::int64_t r = 0; r < count; ++r) {
      const T *x = rows[r].x + first, *d_y = rows[r].d_y + first;
      const T mean = rows[r].mean, inverse = rows[r].inverse;
      RZ_INDEPENDENT
      for (std::int64_t c = 0; c < n; ++c) {
        d_gain[c] += d_y[c] * ((x[c] - mean) * inverse);
        d_bias[c] += d_y[c];
      }
    }
    for (std::int64_t c = 0; c < n; ++c) s.d_gain[first + c] += static_cast<double>(d_gain[c]);
    for (std::int64_t c = 0; c < n && s.d_bias; ++c) s.d_bias[first + c] += static_cast<double>(d_bias[c]);
  }
}

template <class T>
void norm_vjp(const NormVjpBlock& s) {
  const std::int64_t step = rows_together(s.columns);
  const T* const gain = static_cast<const T*>(s.gain);
  for (std::int64_t c = 0; c < s.columns && s.d_gain; ++c) s.d_gain[c] = 0;
  for (std::int64_t c = 0; c < s.columns && s.d_bias; ++c) s.d_bias[c] = 0;
  for (std::int64_t first = 0; first < s.rows; first += step) {
    const std::int64_t count = s.rows - first < step ? s.rows - first : step;
    VjpRow<T> rows[most_together];
    for (std::int64_t r = 0; r < count; ++r) {
      rows[r].x = static_cast<const T*>(s.x) + (first + r) * s.columns;
      rows[r].d_y = static_cast<const T*>(s.d_y) + (first + r) * s.columns;
      rows[r].mean = s.mean ? static_cast<const T*>(s.mean)[first + r] : T(0);
      rows[r].inverse = static_cast<const T*>(s.inverse_deviation)[first + r];
    }
    if (s.d_gain) add_d_parameters(rows, count, s);
    if (!s.d_x) continue;
    for (std::int64_t r = 0; r < count; ++r) find_means(rows[r], gain, s.columns, s.mean != nullptr);
    for (std::int64_t r = 0; r < count; ++r)
      write_d_x(rows[r], gain, static_cast<T*>(s.d_x) + (first + r) * s.columns, s.columns, s.accumulate);
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
