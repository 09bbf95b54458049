// Batch norm: columns of x [rows, columns] are normalised. A vector of columns goes down the rows, so sums stay in
// registers. Limit: memory. Sums overwrite f64 of the caller's; outputs overwrite or accumulate as the block says.
#include "core/cpu/kernels/narrow.h"
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

template <class T>
constexpr std::int64_t count = Narrow<T>::count;

// f(read, c) for vectors of columns; the last one reads what is there and zeros.
template <class T, class F>
void each_vector(std::int64_t columns, const F& f) {
  std::int64_t c = 0;
  for (; c + count<T> <= columns; c += count<T>) f(ReadAll{}, c, count<T>);
  if (c < columns) f(ReadSome{columns - c}, c, columns - c);
}

// sums[l] = sum over rows of the lane l of term(r): in T over some 64 rows, then in f64.
template <class T, class Term>
void sum_down(std::int64_t rows, std::int64_t present, double* sums, const Term& term) {
  for (std::int64_t l = 0; l < present; ++l) sums[l] = 0;
  for (std::int64_t r = 0; r < rows;) {
    const std::int64_t end = rows - r < 256 ? rows : r + 256;
    Narrow<T> some[4] = {};
    for (; r + 4 <= end; r += 4)
      for (int k = 0; k < 4; ++k) some[k] += term(r + k);
    for (; r < end; ++r) some[0] += term(r);
    some[0] += some[1];
    some[2] += some[3];
    some[0] += some[2];
    T lanes_of[count<T>];
    __builtin_memcpy(lanes_of, &some[0], sizeof lanes_of);
    for (std::int64_t l = 0; l < present; ++l) sums[l] += static_cast<double>(lanes_of[l]);
  }
}

// Mean of each column, and the sum of squares about it: two passes.
template <class T>
void moments(const void* values, std::int64_t rows, std::int64_t columns, double* mean, double* squares) {
  const T* x = static_cast<const T*>(values);
  each_vector<T>(columns, [&](const auto& read, std::int64_t c, std::int64_t present) {
    sum_down<T>(rows, present, mean + c, [&](std::int64_t r) { return read(x + r * columns + c); });
    T centre[count<T>] = {};
    for (std::int64_t l = 0; l < present; ++l) {
      mean[c + l] /= static_cast<double>(rows);
      centre[l] = static_cast<T>(mean[c + l]);
    }
    const Narrow<T> about = ReadAll{}(centre);
    sum_down<T>(rows, present, squares + c, [&](std::int64_t r) {
      const Narrow<T> d = read(x + r * columns + c) - about;
      return d * d;
    });
    // The squares were taken about the mean as T has it.
    for (std::int64_t l = 0; l < present; ++l) {
      const double off = mean[c + l] - static_cast<double>(centre[l]);
      squares[c + l] -= static_cast<double>(rows) * off * off;
    }
  });
}

template <class T>
void write(const Narrow<T>& v, T* p, std::int64_t present) {
  __builtin_memcpy(p, &v, present == count<T> ? sizeof v : static_cast<std::size_t>(present) * sizeof(T));
}

template <class T>
void normalise(const ColumnsBlock& b, void* y) {
  const T *x = static_cast<const T*>(b.x), *mean = static_cast<const T*>(b.mean);
  const T *factor = static_cast<const T*>(b.factor), *bias = static_cast<const T*>(b.bias);
  each_vector<T>(b.columns, [&](const auto& read, std::int64_t c, std::int64_t present) {
    const Narrow<T> m = read(mean + c), f = read(factor + c), start = read(bias + c);
    T* to = static_cast<T*>(y) + c;
    for (std::int64_t r = 0; r < b.rows; ++r, to += b.columns) {
      Narrow<T> v = (read(x + r * b.columns + c) - m) * f;
      v += start;
      write(v, to, present);
    }
  });
}

template <class T>
void vjp_sums(const ColumnsBlock& b, const void* gradient, double* d, double* d_x) {
  const T *x = static_cast<const T*>(b.x), *mean = static_cast<const T*>(b.mean), *g = static_cast<const T*>(gradient);
  each_vector<T>(b.columns, [&](const auto& read, std::int64_t c, std::int64_t present) {
    const Narrow<T> m = read(mean + c);
    sum_down<T>(b.rows, present, d + c, [&](std::int64_t r) { return read(g + r * b.columns + c); });
    sum_down<T>(b.rows, present, d_x + c,
                [&](std::int64_t r) { return read(g + r * b.columns + c) * (read(x + r * b.columns + c) - m); });
  });
}

template <class T>
void vjp(const ColumnsBlock& b, const void* gradient, const void* slope, void* d_x, bool accumulate) {
  const T *x = static_cast<const T*>(b.x), *mean = static_cast<const T*>(b.mean), *g = static_cast<const T*>(gradient);
  const T *factor = static_cast<const T*>(b.factor), *bias = static_cast<const T*>(b.bias);
  each_vector<T>(b.columns, [&](const auto& read, std::int64_t c, std::int64_t present) {
    const Narrow<T> m = read(mean + c), f = read(factor + c), start = read(bias + c),
                    s = read(static_cast<const T*>(slope) + c);
    T* to = static_cast<T*>(d_x) + c;
    for (std::int64_t r = 0; r < b.rows; ++r, to += b.columns) {
      Narrow<T> v = (read(x + r * b.columns + c) - m) * s;
      v += read(g + r * b.columns + c) * f;
      v += start;
      if (accumulate) v += read(to);
      write(v, to, present);
    }
  });
}

}  // namespace

namespace RZ_ISA {
constinit const BatchNormKernels batch_norm_kernels = {
    .moments = {moments<float>, moments<double>},
    .normalise = {normalise<float>, normalise<double>},
    .vjp_sums = {vjp_sums<float>, vjp_sums<double>},
    .vjp = {vjp<float>, vjp<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
