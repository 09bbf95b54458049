// The residual connection y = x + g f and its vjp, one pass each: the vjp reads f and d_y once for both gradients. The
// gate's gradient is summed in f64 lanes. Limit: memory.
#include "core/cpu/kernels/lanes.h"
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

template <class T>
void add(const void* x_data, const void* f_data, double gate, void* y_data, std::int64_t n, bool accumulate) {
  const T* x = static_cast<const T*>(x_data);
  const T* f = static_cast<const T*>(f_data);
  T* y = static_cast<T*>(y_data);
  const T g = static_cast<T>(gate);
  if (accumulate) {
    RZ_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) y[i] += x[i] + g * f[i];
  } else {
    RZ_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] + g * f[i];
  }
}

// Both arrays pass through the cache in chunks: the sum reads a chunk from memory, d_f then finds it hot. d_f may be f
// or d_y, so the sum goes first.
template <class T>
double vjp(const void* f_data, const void* d_y_data, double gate, void* d_f_data, std::int64_t n, bool accumulate) {
  constexpr std::int64_t chunk = 1024;
  const T g = static_cast<T>(gate);
  double total = 0;
  for (std::int64_t first = 0; first < n; first += chunk) {
    const std::int64_t count = first + chunk < n ? chunk : n - first;
    const T* f = static_cast<const T*>(f_data) + first;
    const T* d_y = static_cast<const T*>(d_y_data) + first;
    total += sum_lanes(count, [f, d_y](const auto& read, std::int64_t i) { return read(f + i) * read(d_y + i); });
    if (!d_f_data) continue;
    T* d_f = static_cast<T*>(d_f_data) + first;
    if (accumulate) {
      RZ_INDEPENDENT
      for (std::int64_t i = 0; i < count; ++i) d_f[i] += g * d_y[i];
    } else {
      RZ_INDEPENDENT
      for (std::int64_t i = 0; i < count; ++i) d_f[i] = g * d_y[i];
    }
  }
  return total;
}

template <class T>
void add_rows(const void* x_data, const void* scales_data, const std::int64_t* indices, std::int64_t rows,
              std::int64_t columns, void* y_data) {
  const T *x = static_cast<const T*>(x_data), *scales = static_cast<const T*>(scales_data);
  for (std::int64_t i = 0; i < rows; ++i, x += columns) {
    T* y = static_cast<T*>(y_data) + indices[i] * columns;
    RZ_INDEPENDENT
    for (std::int64_t j = 0; j < columns; ++j) y[j] += scales[i] * x[j];
  }
}

}  // namespace

namespace RZ_ISA {
constinit const ResidualKernels residual_kernels = {
    .add = {add<float>, add<double>},
    .vjp = {vjp<float>, vjp<double>},
    .add_rows = {add_rows<float>, add_rows<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
