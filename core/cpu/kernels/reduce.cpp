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
    a = b > a ? b : a;
    a = b == b ? a : b;
  }
  static double add(double a, double b) { return b > a || b != b ? b : a; }
};

template <class Op, class T>
double reduce_row(const T* x, std::int64_t n) {
  Wide partial[4], v;
  for (Wide& p : partial) p = Wide{} + Op::start;
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (int k = 0; k < 4; ++k) {
      LoadAll{}(x + i + k * lanes, v);
      Op::add(partial[k], v);
    }
  }
  for (; i + lanes <= n; i += lanes) {
    LoadAll{}(x + i, v);
    Op::add(partial[0], v);
  }
  Op::add(partial[0], partial[1]);
  Op::add(partial[2], partial[3]);
  Op::add(partial[0], partial[2]);
  const Wide& p = partial[0];
  double result =
      Op::add(Op::add(Op::add(p[0], p[1]), Op::add(p[2], p[3])), Op::add(Op::add(p[4], p[5]), Op::add(p[6], p[7])));
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
  Wide partial[count], v;
  for (Wide& p : partial) p = Wide{} + Op::start;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (int k = 0; k < count; ++k) {
      LoadAll{}(x + r * stride + k * lanes, v);
      Op::add(partial[k], v);
    }
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
  return sum_lanes(n, [x](const auto& load, std::int64_t i, Wide& sum) {
    Wide v;
    load(x + i, v);
    sum += v * v;
  });
}

template <class T>
void argmax_rows(const void* x_data, std::int64_t rows, std::int64_t columns,
                 std::int64_t* y) {  // NaN is never the largest
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* x = static_cast<const T*>(x_data) + r * columns;
    T largest = static_cast<T>(-__builtin_inf());
    std::int64_t where = 0;
    for (std::int64_t c = 0; c < columns; ++c) {
      if (x[c] > largest) {
        largest = x[c];
        where = c;
      }
    }
    y[r] = where;
  }
}

}  // namespace

namespace RZ_ISA {
constinit const ReduceKernels reduce_kernels = {
    .rows = {{rows<Sum, float>, rows<Sum, double>}, {rows<Max, float>, rows<Max, double>}},
    .columns = {{columns<Sum, float>, columns<Sum, double>}, {columns<Max, float>, columns<Max, double>}},
    .sum_of_squares = {sum_of_squares<float>, sum_of_squares<double>},
    .argmax_rows = {argmax_rows<float>, argmax_rows<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
