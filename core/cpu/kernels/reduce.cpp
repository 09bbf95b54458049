// Sums and largest elements of rows and columns, sums of squares, argmax. All sums are kept in f64 lanes, so an f32 sum
// is exact but for its last rounding. Limit: one conversion and one addition per element, or memory.
#include "core/cpu/kernels/lanes.h"
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

struct Sum {
  static constexpr double start = 0;
  static void add(Wide& a, const Wide& b) { a += b; }
  static double add(double a, double b) { return a + b; }
};
struct Max {  // NaN if one of the elements is
  static constexpr double start = -__builtin_inf();
  static void add(Wide& a, const Wide& b) {
    for (int r = 0; r < registers; ++r) {
      const Register larger = b.part[r] > a.part[r] ? b.part[r] : a.part[r];
      a.part[r] = b.part[r] == b.part[r] ? larger : b.part[r];
    }
  }
  static double add(double a, double b) { return b > a || b != b ? b : a; }
};

template <class Op>
double join_lanes(const Wide& v) {
  double p[lanes];
  store(v, p);
  const double low = Op::add(Op::add(p[0], p[1]), Op::add(p[2], p[3]));
  return Op::add(low, Op::add(Op::add(p[4], p[5]), Op::add(p[6], p[7])));
}

template <class Op, class T>
double reduce_row(const T* x, std::int64_t n) {
  std::int64_t i = 0;
  double result = Op::start;
  if (n >= lanes) {
    Wide partial[4];
    for (Wide& p : partial) p = all(Op::start);
    for (; i + 4 * lanes <= n; i += 4 * lanes) {
      for (int k = 0; k < 4; ++k) Op::add(partial[k], load(x + i + k * lanes));
    }
    for (; i + lanes <= n; i += lanes) Op::add(partial[0], load(x + i));
    Op::add(partial[0], partial[1]);
    Op::add(partial[2], partial[3]);
    Op::add(partial[0], partial[2]);
    result = join_lanes<Op>(partial[0]);
  }
  for (; i < n; ++i) result = Op::add(result, static_cast<double>(x[i]));
  return result;
}

template <class Op, class T>
void rows(const void* x_data, std::int64_t rows, std::int64_t columns, std::int64_t stride, double* y) {
  const T* x = static_cast<const T*>(x_data);
  for (std::int64_t r = 0; r < rows; ++r) y[r] = reduce_row<Op>(x + r * stride, columns);
}

// `count` groups of eight columns at once, so that their additions overlap.
template <class Op, int count, class T>
void column_groups(const T* x, std::int64_t rows, std::int64_t stride, double* y) {
  Wide partial[count];
  for (Wide& p : partial) p = all(Op::start);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (int k = 0; k < count; ++k) Op::add(partial[k], load(x + r * stride + k * lanes));
  }
  for (int k = 0; k < count; ++k) store(partial[k], y + k * lanes);
}

template <class Op, class T>
void columns(const void* x_data, std::int64_t rows, std::int64_t columns, std::int64_t stride, double* y) {
  const T* x = static_cast<const T*>(x_data);
  std::int64_t c = 0;
  for (; c + 4 * lanes <= columns; c += 4 * lanes) column_groups<Op, 4>(x + c, rows, stride, y + c);
  for (; c + lanes <= columns; c += lanes) column_groups<Op, 1>(x + c, rows, stride, y + c);
  if (c == columns) return;
  for (std::int64_t k = c; k < columns; ++k) y[k] = Op::start;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = c; k < columns; ++k) y[k] = Op::add(y[k], static_cast<double>(x[r * stride + k]));
  }
}

template <class T>
double sum_of_squares(const void* x_data, std::int64_t n) {
  const T* x = static_cast<const T*>(x_data);
  return sum_lanes(n, [x](const auto& read, std::int64_t i) {
    const Wide v = read(x + i);
    return v * v;
  });
}

template <class T>
void scale_wide(double a, const void* x_data, void* y_data, std::int64_t n) {
  const T* x = static_cast<const T*>(x_data);
  T* y = static_cast<T*>(y_data);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(a * static_cast<double>(x[i]));
}

template <class T>
void argmax_rows(const void* x_data, std::int64_t rows, std::int64_t columns, std::int64_t* y) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* x = static_cast<const T*>(x_data) + r * columns;
    T largest = static_cast<T>(-__builtin_inf());
    std::int64_t where = 0;
    bool has_nan = false;
    for (std::int64_t c = 0; c < columns; ++c) {
      has_nan |= x[c] != x[c];
      if (x[c] > largest) {
        largest = x[c];
        where = c;
      }
    }
    y[r] = has_nan ? -1 : where;
  }
}

}  // namespace

namespace RZ_ISA {
constinit const ReduceKernels reduce_kernels = {
    .rows = {{rows<Sum, float>, rows<Sum, double>}, {rows<Max, float>, rows<Max, double>}},
    .columns = {{columns<Sum, float>, columns<Sum, double>}, {columns<Max, float>, columns<Max, double>}},
    .sum_of_squares = {sum_of_squares<float>, sum_of_squares<double>},
    .scale_wide = {scale_wide<float>, scale_wide<double>},
    .argmax_rows = {argmax_rows<float>, argmax_rows<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
