// exp, expm1, log, tanh and erf in f32 and f64, written so that a loop over an array of them is vectorised: without
// branches, tables or calls. Every kernel, and the host, computes with these.
//
// Error: at most 1 ulp in f32 and 2 ulp in f64 (expm1: 2), by tests/core/elementary_test.cpp. Special values as C's
// library, but for f32 denormals, which kernels take as 0. Polynomials: tests/core/elementary_coefficients.py.
// Arguments are cut in two parts by multiples of ln 2 after Cody and Waite (1980).
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace rz {  // NOLINT(modernize-concat-nested-namespaces): the one between stands in a macro

RZ_ISA_BEGIN

namespace math {

// builtins, not <cmath>: its inline overloads would be shared between instruction sets
#define RZ_MATH(name)                                                          \
  RZ_HOST_DEVICE inline float name(float x) { return __builtin_##name##f(x); } \
  RZ_HOST_DEVICE inline double name(double x) { return __builtin_##name(x); }
RZ_MATH(sin)
RZ_MATH(cos)
RZ_MATH(sqrt)
RZ_MATH(fabs)
#undef RZ_MATH
RZ_HOST_DEVICE inline float copysign(float x, float sign) { return __builtin_copysignf(x, sign); }
RZ_HOST_DEVICE inline double copysign(double x, double sign) { return __builtin_copysign(x, sign); }

// What a format is made of. `shifter`: added to a small number it leaves that number, rounded to a whole one, in the
// lowest bits. ln2_high has so few bits that its product with an exponent is exact.
template <class T>
struct Format;
template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int fraction_bits = 23, bias = 127;
  static constexpr float shifter = 0x1.8p23f, infinity = __builtin_huge_valf(), not_a_number = __builtin_nanf("");
  static constexpr float least_normal = 0x1p-126f;
  static constexpr float ln2_high = 0.693145751953125f, ln2_low = 1.42860682030941723e-6f;
  static constexpr float exp_least = -104, exp_most = 89;  // beyond, exp is 0 and infinity
  static constexpr Bits root_half = 0x3F3504F3;            // sqrt(1/2)
};
template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int fraction_bits = 52, bias = 1023;
  static constexpr double shifter = 0x1.8p52, infinity = __builtin_huge_val(), not_a_number = __builtin_nan("");
  static constexpr double least_normal = 0x1p-1022;
  static constexpr double ln2_high = 6.93147180369123816490e-1, ln2_low = 1.90821492927058770002e-10;
  static constexpr double exp_least = -746, exp_most = 710;
  static constexpr Bits root_half = 0x3FE6A09E667F3BCD;
};

// Coefficients from the highest power down.
template <class T, class... C>
RZ_HOST_DEVICE inline T polynomial(T x, T highest, C... rest) {
  T sum = highest;
  ((sum = sum * x + rest), ...);
  return sum;
}

template <class T>
RZ_HOST_DEVICE inline T nearest(T x) {  // to a whole number; |x| small
  return (x + Format<T>::shifter) - Format<T>::shifter;
}

template <class T>
RZ_HOST_DEVICE inline T power_of_two(T n) {  // n whole, of a normal power
  using F = Format<T>;
  const auto bits = __builtin_bit_cast(typename F::Bits, n + F::shifter);
  return __builtin_bit_cast(T, (bits + F::bias) << F::fraction_bits);
}

// x = n ln 2 + r, |r| <= ln 2 / 2, and tail = r^2 (1/2 + r/6 + ...), so e^r = 1 + r + tail.
template <class T>
struct ReducedExp {
  T n, r, tail;
};
RZ_HOST_DEVICE inline float exp_polynomial(float r) {
  return polynomial(r, 0.000198909908f, 0.001393365f, 0.00833331093f, 0.0416664649f, 0.166666667f, 0.5f);
}
RZ_HOST_DEVICE inline double exp_polynomial(double r) {
  return polynomial(r, 2.0914686968086877e-9, 2.5105217004720745e-8, 2.7557273643110295e-7, 2.7557255400206424e-6,
                    2.4801587325547741e-5, 0.00019841269874820625, 0.0013888888888883748, 0.0083333333333261351,
                    0.04166666666666667, 0.16666666666666671, 0.5);
}
template <class T>
RZ_HOST_DEVICE inline ReducedExp<T> reduce_exp(T x) {
  using F = Format<T>;
  x = x < F::exp_least ? F::exp_least : x;
  x = x > F::exp_most ? F::exp_most : x;
  const T n = nearest(x * T(1.44269504088896340736));
  const T r = (x - n * F::ln2_high) - n * F::ln2_low;
  return {n, r, r * r * exp_polynomial(r)};
}

template <class T>
RZ_HOST_DEVICE inline T exp(T x) {
  const ReducedExp<T> e = reduce_exp(x);
  const T half = nearest(e.n * T(0.5));  // 2^n itself may be out of range
  return (T(1) + (e.r + e.tail)) * power_of_two(half) * power_of_two(e.n - half);
}

// 2^n (e^r - 1) + 2^n - 1, halved, since 2^n may be out of range.
template <class T>
RZ_HOST_DEVICE inline T expm1(T x) {
  const ReducedExp<T> e = reduce_exp(x < T(-50) ? T(-50) : x);
  const T half = power_of_two(e.n - T(1));
  const T y = T(2) * (half * (e.r + e.tail) + (half - T(0.5)));
  return x == T(0) ? x : y;  // the sign of 0
}

// 1 / (1 + e^-x) without overflow on either side.
template <class T>
RZ_HOST_DEVICE inline T logistic(T x) {
  const T e = exp(-fabs(x));
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}

// log(1 + f) = f - rest, for 1 + f in [sqrt(1/2), sqrt(2)]; `low` is added to the result before it is rounded.
RZ_HOST_DEVICE inline float log_near_one(float f, float low) {
  const float tail = polynomial(f, 0.0697161147f, -0.114797338f, 0.116854199f, -0.124256873f, 0.142490576f,
                                -0.166678023f, 0.200007157f, -0.24999997f, 0.333333312f);
  return (f * f * f * tail + low) - 0.5f * f * f;
}
RZ_HOST_DEVICE inline double log_near_one(double f, double low) {
  const double s = f / (2 + f), z = s * s, half_square = 0.5 * f * f;
  const double series =
      z * polynomial(z, 0.13086626147840102, 0.13268773138656885, 0.15386239702814658, 0.18181795640132906,
                     0.22222222391713917, 0.28571428570803612, 0.40000000000000877, 0.66666666666666666);
  return (s * (half_square + series) + low) - half_square;
}

template <class T>
RZ_HOST_DEVICE inline T log(T x) {
  using F = Format<T>;
  using Bits = typename F::Bits;
  constexpr Bits one = static_cast<Bits>(F::bias) << F::fraction_bits, fraction = (Bits{1} << F::fraction_bits) - 1;
  constexpr T rise = static_cast<T>(Bits{1} << (F::fraction_bits + 2));
  const bool denormal = x < F::least_normal;
  const Bits bits = __builtin_bit_cast(Bits, denormal ? x * rise : x) + (one - F::root_half);
  // The exponent as a real number: whole numbers are the lowest bits of the shifter.
  const Bits whole = (bits >> F::fraction_bits) + __builtin_bit_cast(Bits, F::shifter);
  const T k = (__builtin_bit_cast(T, whole) - F::shifter) - T(F::bias + (denormal ? F::fraction_bits + 2 : 0));
  const T f = __builtin_bit_cast(T, (bits & fraction) + F::root_half) - T(1);
  const T finite = k * F::ln2_high + (f + log_near_one(f, k * F::ln2_low));
  const T edge = x == T(0) ? -F::infinity : (x > T(0) ? x : F::not_a_number);
  return x > T(0) && x < F::infinity ? finite : edge;
}

RZ_HOST_DEVICE inline float tanh_of_small(float x) {  // |x| < 0.9
  const float u = x * x;
  return x + x * u *
                 polynomial(u, 0.000182065404f, -0.00103912031f, 0.00334037249f, -0.00877421724f, 0.0218519006f,
                            -0.0539665176f, 0.133333267f, -0.333333333f);
}
RZ_HOST_DEVICE inline double tanh_of_small(double x) {  // |x| < 0.625
  const double u = x * x;
  return x + x * u *
                 polynomial(u, 6.4851634827931131e-6, -3.12011014257974e-5, 9.2571161295567683e-5,
                            -0.0002375906496055562, 0.00058966065777570433, -0.0014557754120478055,
                            0.0035921217511549623, -0.0088632351032408779, 0.021869488519008306, -0.053968253967896992,
                            0.13333333333333042, -0.33333333333333333);
}

// 1 - 2 / (e^2a + 1) for larger ones; the sum has one rounding, since 2^n + 1 is exact and 2^n (e^r - 1) small.
template <class T>
RZ_HOST_DEVICE inline T tanh_in_own_precision(T x) {
  constexpr T small = sizeof(T) == sizeof(float) ? T(0.9) : T(0.625);
  const T a = fabs(x);
  const ReducedExp<T> e = reduce_exp(T(2) * (a > T(20) ? T(20) : a));
  const T power = power_of_two(e.n), large = T(1) - T(2) / ((power + T(1)) + power * (e.r + e.tail));
  return copysign(a < small ? tanh_of_small(a) : large, x);
}
RZ_HOST_DEVICE inline double tanh(double x) { return tanh_in_own_precision(x); }
RZ_HOST_DEVICE inline float tanh(float x) {
#if defined(__FMA__) || defined(__CUDA_ARCH__)
  return tanh_in_own_precision(x);
#else
  return static_cast<float>(tanh(static_cast<double>(x)));  // products that are rounded would make it 1.1 ulp
#endif
}

// |x| < 1: erf(x) = x + x small(x^2). Else 1 - e^(-x^2) large(1 / (1 + |x| / 2)), and 1 beyond `most`.
struct ErfSingle {  // for results in f32, in the arithmetic of f64: that of f32 would be off by 1.3 ulp near 1
  static constexpr double most = 3.96;
  RZ_HOST_DEVICE static double small(double u) {
    return polynomial(u, -9.66704457e-6, 0.00011265959, -0.000848408041, 0.00522103181, -0.0268654307, 0.112837825,
                      -0.376126385, 0.128379167);
  }
  RZ_HOST_DEVICE static double large(double t) {
    return polynomial(t, 0.12102198, -0.477138605, 0.572208533, -0.11100778, 0.351433414, 0.25863049, 0.285081577,
                      -0.00016563564);
  }
};
struct ErfDouble {
  static constexpr double most = 6;
  RZ_HOST_DEVICE static double small(double u) {
    return polynomial(u, 5.9571761477489114e-11, -1.1372848856791674e-9, 1.4659775274047436e-8, -1.6350312701054695e-7,
                      1.6461000484121368e-6, -1.4925595266831182e-5, 0.00012055331111642711, -0.00085483269808337899,
                      0.0052239776248180145, -0.026866170645076793, 0.11283791670954879, -0.37612638903183748,
                      0.12837916709551257);
  }
  RZ_HOST_DEVICE static double large(double t) {
    return polynomial(t, -0.074443077591579705, 0.55382057023819455, -1.8546328237433768, 3.6449601304154002,
                      -4.5873257247039982, 3.8031352813556274, -2.1329494557767216, 0.92298352638626516,
                      -0.33871496469637668, 0.0035442076118923522, -0.011411682852081449, 0.083456739081884588,
                      0.17660959701137848, 0.24677058807148093, 0.28210188338405388, 0.28209434071295383,
                      1.2647055810783462e-8);
  }
};
template <class Polynomials>
RZ_HOST_DEVICE inline double erf_by(double x) {
  const double a = fabs(x), bounded = a > Polynomials::most ? Polynomials::most : a;
  const double large = 1 - exp(-bounded * bounded) * Polynomials::large(1 / (1 + 0.5 * bounded));
  return copysign(a < 1 ? a + a * Polynomials::small(a * a) : large, x);
}
RZ_HOST_DEVICE inline float erf(float x) { return static_cast<float>(erf_by<ErfSingle>(static_cast<double>(x))); }
RZ_HOST_DEVICE inline double erf(double x) { return erf_by<ErfDouble>(x); }

}  // namespace math

RZ_ISA_END

}  // namespace rz
