// Binary operations with broadcasting, scaling, filling and conversion. Limit: memory, once an array is larger than the
// cache.
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

struct Add {
  template <class T>
  static T of(T a, T b) {
    return a + b;
  }
};
struct Subtract {
  template <class T>
  static T of(T a, T b) {
    return a - b;
  }
};
struct Multiply {
  template <class T>
  static T of(T a, T b) {
    return a * b;
  }
};
struct Divide {
  template <class T>
  static T of(T a, T b) {
    return a / b;
  }
};
struct Maximum {  // NaN if one of them is
  template <class T>
  static T of(T a, T b) {
    const T larger = a > b ? a : b;  // b where one is NaN
    return a == a ? larger : a;
  }
};

// One row; a and b advance with every column or stay.
template <class F, bool accumulate, bool a_moves, bool b_moves, class T>
void binary_row(const T* a, const T* b, T* y, std::int64_t columns) {
  RZ_INDEPENDENT
  for (std::int64_t c = 0; c < columns; ++c) {
    const T result = F::template of<T>(a[a_moves ? c : 0], b[b_moves ? c : 0]);
    y[c] = accumulate ? y[c] + result : result;
  }
}

template <class F, bool accumulate, class T>
void binary_rows(const BinaryBlock& s, const T* a, const T* b, T* y) {
  const bool a_moves = s.a_column != 0, b_moves = s.b_column != 0;
  const auto row =
      a_moves ? (b_moves ? binary_row<F, accumulate, true, true, T> : binary_row<F, accumulate, true, false, T>)
              : (b_moves ? binary_row<F, accumulate, false, true, T> : binary_row<F, accumulate, false, false, T>);
  for (std::int64_t r = 0; r < s.rows; ++r) row(a + r * s.a_row, b + r * s.b_row, y + r * s.y_row, s.columns);
}

template <class F, class T>
void binary(const BinaryBlock& block, const void* a, const void* b, void* y, bool accumulate) {
  const auto rows = accumulate ? binary_rows<F, true, T> : binary_rows<F, false, T>;
  rows(block, static_cast<const T*>(a), static_cast<const T*>(b), static_cast<T*>(y));
}

template <class T>
void scale(double factor, const void* x_data, void* y_data, std::int64_t n, bool accumulate) {
  const T* x = static_cast<const T*>(x_data);
  T* y = static_cast<T*>(y_data);
  const T a = static_cast<T>(factor);
  if (accumulate) {
    RZ_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) y[i] += a * x[i];
  } else {
    RZ_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) y[i] = a * x[i];
  }
}

// bf16: the upper half of an f32, rounded to nearest even.
struct Bf16 {
  std::uint16_t bits;
};
float widen(Bf16 x) { return __builtin_bit_cast(float, std::uint32_t{x.bits} << 16); }
template <class T>
T widen(T x) {
  return x;
}

template <class T>
constexpr bool is_whole = static_cast<T>(0.5) == T(0);

// A real number to a whole one goes towards 0, to the nearest end of the range if it lies outside, and to 0 if it is
// NaN.
template <class To, class From>
To saturate(From x) {
  constexpr int bits = 8 * static_cast<int>(sizeof(To));
  constexpr bool is_signed = static_cast<To>(-1) < To(0);
  constexpr std::uint64_t most = (~std::uint64_t{0} >> (64 - bits)) >> (is_signed ? 1 : 0);
  constexpr To largest = static_cast<To>(most), smallest = static_cast<To>(is_signed ? most + 1 : 0);
  constexpr std::uint64_t half = most / 2 + 1;  // exact in From, unlike most
  if (x >= static_cast<From>(half) * 2) return largest;
  if (x <= static_cast<From>(smallest)) return smallest;
  return x == x ? static_cast<To>(x) : To(0);
}

template <class To>
struct Narrow {
  template <class From>
  static To of(From x) {
    if constexpr (is_whole<To> && !is_whole<From>) {
      return saturate<To>(x);
    } else {
      return static_cast<To>(x);
    }
  }
};
template <>
struct Narrow<Bf16> {
  template <class From>
  static Bf16 of(From x) {
    const float single = static_cast<float>(x);
    const auto bits = __builtin_bit_cast(std::uint32_t, single);
    const std::uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16, quiet_nan = bits >> 16 | 0x40;
    return {static_cast<std::uint16_t>(single == single ? rounded : quiet_nan)};
  }
};

template <class From, class To>
void convert(const void* x_data, void* y_data, std::int64_t n, bool accumulate) {
  const From* x = static_cast<const From*>(x_data);
  To* y = static_cast<To*>(y_data);
  if (accumulate) {
    RZ_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) y[i] = Narrow<To>::of(widen(y[i]) + widen(Narrow<To>::of(widen(x[i]))));
  } else {
    RZ_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) y[i] = Narrow<To>::of(widen(x[i]));
  }
}

template <class T>
void fill(double value, void* y_data, std::int64_t n, bool accumulate) {
  T* y = static_cast<T*>(y_data);
  const T x = Narrow<T>::of(value);
  if (accumulate) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = Narrow<T>::of(widen(y[i]) + widen(x));
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = x;
  }
}

}  // namespace

namespace RZ_ISA {
#define RZ_CONVERT(from)                                                          \
  {convert<from, float>,        convert<from, double>,       convert<from, Bf16>, \
   convert<from, std::int32_t>, convert<from, std::int64_t>, convert<from, std::uint8_t>}
constinit const ElementwiseKernels elementwise_kernels = {
    .binary = {{binary<Add, float>, binary<Add, double>},
               {binary<Subtract, float>, binary<Subtract, double>},
               {binary<Multiply, float>, binary<Multiply, double>},
               {binary<Divide, float>, binary<Divide, double>},
               {binary<Maximum, float>, binary<Maximum, double>}},
    .scale = {scale<float>, scale<double>},
    .fill = {fill<float>, fill<double>, fill<Bf16>, fill<std::int32_t>, fill<std::int64_t>, fill<std::uint8_t>},
    .convert = {RZ_CONVERT(float), RZ_CONVERT(double), RZ_CONVERT(Bf16), RZ_CONVERT(std::int32_t),
                RZ_CONVERT(std::int64_t), RZ_CONVERT(std::uint8_t)},
};
#undef RZ_CONVERT
}  // namespace RZ_ISA
}  // namespace rz::cpu
