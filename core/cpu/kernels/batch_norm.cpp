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

// sums[k][l] = sum over rows of lane l of what add(r, some) adds to some[k]: in T over 256 rows, then in f64.
template <class T, int terms, class Add>
void sum_down(std::int64_t rows, std::int64_t present, double* const (&sums)[terms], const Add& add) {
  constexpr int chains = 4 / terms;
  for (double* sum : sums)
    for (std::int64_t l = 0; l < present; ++l) sum[l] = 0;
  for (std::int64_t r = 0; r < rows;) {
    const std::int64_t end = rows - r < 256 ? rows : r + 256;
    Narrow<T> some[chains][terms] = {};
    for (; r + chains <= end; r += chains)
      for (int chain = 0; chain < chains; ++chain) add(r + chain, some[chain]);
    for (; r < end; ++r) add(r, some[0]);
    for (int chain = 1; chain < chains; ++chain)
      for (int k = 0; k < terms; ++k) some[0][k] += some[chain][k];
    T lanes_of[terms][count<T>];
    __builtin_memcpy(lanes_of, some[0], sizeof lanes_of);
    for (int k = 0; k < terms; ++k)
      for (std::int64_t l = 0; l < present; ++l) sums[k][l] += static_cast<double>(lanes_of[k][l]);
  }
}

// Mean of each column, and the sum of squares about it: two passes.
template <class T>
void moments(const void* values, std::int64_t rows, std::int64_t columns, double* mean, double* squares) {
  const T* x = static_cast<const T*>(values);
  each_vector<T>(columns, [&](const auto& read, std::int64_t c, std::int64_t present) {
    sum_down<T, 1>(rows, present, {mean + c},
                   [&](std::int64_t r, Narrow<T>(&some)[1]) { some[0] += read(x + r * columns + c); });
    T centre[count<T>] = {};
    for (std::int64_t l = 0; l < present; ++l) {
      mean[c + l] /= static_cast<double>(rows);
      centre[l] = static_cast<T>(mean[c + l]);
    }
    const Narrow<T> about = ReadAll{}(centre);
    sum_down<T, 1>(rows, present, {squares + c}, [&](std::int64_t r, Narrow<T>(&some)[1]) {
      const Narrow<T> d = read(x + r * columns + c) - about;
      some[0] += d * d;
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

// A vector of a block's columns: z = (x - mean) factor + bias, with relu behind it or not.
template <class T, bool rectified>
struct Columns {
  const T* x;
  Narrow<T> mean, factor, bias;

  template <class Read>
  Columns(const ColumnsBlock& b, const Read& read, std::int64_t c)
      : x(static_cast<const T*>(b.x) + c),
        mean(read(static_cast<const T*>(b.mean) + c)),
        factor(read(static_cast<const T*>(b.factor) + c)),
        bias(read(static_cast<const T*>(b.bias) + c)) {}

  Narrow<T> z(const Narrow<T>& centred) const {
    Narrow<T> v = centred * factor;
    v += bias;
    return v;
  }
  Narrow<T> value(const Narrow<T>& centred) const {
    Narrow<T> v = z(centred);
    if constexpr (rectified)
      for (auto& part : v.part) part = part <= 0 ? typename Narrow<T>::Part{} : part;  // NaN stays NaN
    return v;
  }
  // The gradient for z, of the one behind it.
  Narrow<T> gradient(const Narrow<T>& centred, Narrow<T> d) const {
    if constexpr (rectified) {
      const Narrow<T> at = z(centred);
      for (int r = 0; r < registers; ++r) d.part[r] = at.part[r] > 0 ? d.part[r] : typename Narrow<T>::Part{};
    }
    return d;
  }
};

template <class T, bool rectified>
void normalise(const ColumnsBlock& b, void* y) {
  each_vector<T>(b.columns, [&](const auto& read, std::int64_t c, std::int64_t present) {
    const Columns<T, rectified> columns(b, read, c);
    const T* x = columns.x;
    T* to = static_cast<T*>(y) + c;
    for (std::int64_t r = 0; r < b.rows; ++r, x += b.columns, to += b.columns)
      write(columns.value(read(x) - columns.mean), to, present);
  });
}

template <class T, bool rectified>
void vjp_sums(const ColumnsBlock& b, const void* gradient, double* d, double* d_x) {
  each_vector<T>(b.columns, [&](const auto& read, std::int64_t c, std::int64_t present) {
    const Columns<T, rectified> columns(b, read, c);
    const T* const g = static_cast<const T*>(gradient) + c;
    sum_down<T, 2>(b.rows, present, {d + c, d_x + c}, [&](std::int64_t r, Narrow<T>(&some)[2]) {
      const Narrow<T> centred = read(columns.x + r * b.columns) - columns.mean;
      const Narrow<T> of_z = columns.gradient(centred, read(g + r * b.columns));
      some[0] += of_z;
      some[1] += of_z * centred;
    });
  });
}

template <class T, bool rectified>
void vjp(const ColumnsBlock& b, const void* gradient, const void* slope, const void* start, void* d_x,
         bool accumulate) {
  each_vector<T>(b.columns, [&](const auto& read, std::int64_t c, std::int64_t present) {
    const Columns<T, rectified> columns(b, read, c);
    const Narrow<T> along = read(static_cast<const T*>(slope) + c), from = read(static_cast<const T*>(start) + c);
    const T *x = columns.x, *g = static_cast<const T*>(gradient) + c;
    T* to = static_cast<T*>(d_x) + c;
    for (std::int64_t r = 0; r < b.rows; ++r, x += b.columns, g += b.columns, to += b.columns) {
      const Narrow<T> centred = read(x) - columns.mean;
      Narrow<T> v = centred * along;
      v += columns.gradient(centred, read(g)) * columns.factor;
      v += from;
      if (accumulate) v += read(to);
      write(v, to, present);
    }
  });
}

}  // namespace

namespace RZ_ISA {
constinit const BatchNormKernels batch_norm_kernels = {
    .moments = {moments<float>, moments<double>},
    .normalise = {{normalise<float, false>, normalise<float, true>},
                  {normalise<double, false>, normalise<double, true>}},
    .vjp_sums = {{vjp_sums<float, false>, vjp_sums<float, true>}, {vjp_sums<double, false>, vjp_sums<double, true>}},
    .vjp = {{vjp<float, false>, vjp<float, true>}, {vjp<double, false>, vjp<double, true>}},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
