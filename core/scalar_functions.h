// Scalar functions: every activation once, for host and device, f32 and f64.
//
// To add one: write its struct below and its line in RZ_ACTIVATIONS. Enum, names, kernels, the autograd function,
// gradient checks and mean-field integrals follow from the list. A struct has
// - value(x, p), derivative(s, p), second_derivative(x, p): p is the function's parameter, s is y if uses_output, else
// x
// - uses_output: whether the derivative is computed from y = f(x) (then only y need be kept) or from x
// - slopes_0_and_1: whether the derivative is 0 or 1 everywhere, so that a unit passes all on, or nothing
// - kinks: where the derivative jumps (gradient checks keep away, mean-field integrals are split there)
// - max_slope: sup |f'| over the real line (at the default parameter)
// - default_parameter: 0 where there is none
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/elementary.h"
#include "core/isa.h"

namespace rz {

RZ_ISA_BEGIN

namespace scalars {

constexpr double pi = 3.14159265358979323846;

#define RZ_FUNCTION  \
  template <class T> \
  RZ_HOST_DEVICE static T

struct Identity {  // x
  static constexpr bool uses_output = true, slopes_0_and_1 = true;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = 1, default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return x; }
  RZ_FUNCTION derivative(T, T) { return T(1); }
  RZ_FUNCTION second_derivative(T, T) { return T(0); }
};

struct Relu {  // max(0, x)
  static constexpr bool uses_output = true, slopes_0_and_1 = true;
  static constexpr std::array<double, 1> kinks{0};
  static constexpr double max_slope = 1, default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return x > T(0) ? x : (x == x ? T(0) : x); }  // NaN stays NaN
  RZ_FUNCTION derivative(T y, T) { return y > T(0) ? T(1) : T(0); }
  RZ_FUNCTION second_derivative(T, T) { return T(0); }
};

struct LeakyRelu {  // x for x > 0, p x below; p = negative_slope
  static constexpr bool uses_output = false, slopes_0_and_1 = false;
  static constexpr std::array<double, 1> kinks{0};
  static constexpr double max_slope = 1, default_parameter = 0.01;
  RZ_FUNCTION value(T x, T p) { return x > T(0) ? x : p * x; }
  RZ_FUNCTION derivative(T x, T p) { return x > T(0) ? T(1) : p; }
  RZ_FUNCTION second_derivative(T, T) { return T(0); }
};

struct Tanh {
  static constexpr bool uses_output = true, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = 1, default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return math::tanh(x); }
  RZ_FUNCTION derivative(T y, T) { return (T(1) - y) * (T(1) + y); }
  RZ_FUNCTION second_derivative(T x, T) {
    const T y = math::tanh(x);
    return T(-2) * y * (T(1) - y) * (T(1) + y);
  }
};

struct Erf {
  static constexpr bool uses_output = false, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = 1.12837916709551257390, default_parameter = 0;  // 2 / sqrt(pi)
  RZ_FUNCTION value(T x, T) { return math::erf(x); }
  RZ_FUNCTION derivative(T x, T) { return T(1.12837916709551257390) * math::exp(-x * x); }
  RZ_FUNCTION second_derivative(T x, T) { return T(-2.25675833419102514780) * x * math::exp(-x * x); }
};

struct ErfUnit {  // erf(sqrt(pi) x / 2): slope 1 at 0, the error function of Pennington, Schoenholz, Ganguli (2017)
  static constexpr bool uses_output = false, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = 1, default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return math::erf(T(0.88622692545275801365) * x); }
  RZ_FUNCTION derivative(T x, T) { return math::exp(T(-0.25 * pi) * x * x); }
  RZ_FUNCTION second_derivative(T x, T) { return T(-0.5 * pi) * x * math::exp(T(-0.25 * pi) * x * x); }
};

struct HardTanh {  // x held in [-1, 1]
  static constexpr bool uses_output = true, slopes_0_and_1 = true;
  static constexpr std::array<double, 2> kinks{-1, 1};
  static constexpr double max_slope = 1, default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return x > T(1) ? T(1) : (x < T(-1) ? T(-1) : x); }
  RZ_FUNCTION derivative(T y, T) { return y > T(-1) && y < T(1) ? T(1) : T(0); }
  RZ_FUNCTION second_derivative(T, T) { return T(0); }
};

struct Sigmoid {
  static constexpr bool uses_output = true, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = 0.25, default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return math::logistic(x); }
  RZ_FUNCTION derivative(T y, T) { return y * (T(1) - y); }
  RZ_FUNCTION second_derivative(T x, T) {
    const T s = math::logistic(x);
    return s * (T(1) - s) * (T(1) - T(2) * s);
  }
};

struct Gelu {  // x Phi(x), Phi the normal distribution function
  static constexpr bool uses_output = false, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = 1.12890414518516, default_parameter = 0;  // at x = sqrt(2)
  RZ_FUNCTION value(T x, T) { return x * phi(x); }
  RZ_FUNCTION derivative(T x, T) { return phi(x) + x * density(x); }
  RZ_FUNCTION second_derivative(T x, T) { return density(x) * (T(2) - x * x); }
  RZ_FUNCTION phi(T x) { return T(0.5) * (T(1) + math::erf(x * T(0.70710678118654752440))); }
  RZ_FUNCTION density(T x) { return T(0.39894228040143267794) * math::exp(T(-0.5) * x * x); }
};

struct GeluTanh {  // x (1 + tanh u) / 2, u = sqrt(2 / pi) (x + 0.044715 x^3)
  static constexpr bool uses_output = false, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = 1.12899306865878, default_parameter = 0;
  static constexpr double k = 0.79788456080286535588, c = 0.044715;
  RZ_FUNCTION value(T x, T) { return T(0.5) * x * (T(1) + math::tanh(u(x))); }
  RZ_FUNCTION derivative(T x, T) {
    const T t = math::tanh(u(x));
    return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * u1(x);
  }
  RZ_FUNCTION second_derivative(T x, T) {
    const T t = math::tanh(u(x)), s = T(1) - t * t;
    return s * u1(x) + T(0.5) * x * (s * T(6 * k * c) * x - T(2) * t * s * u1(x) * u1(x));
  }
  RZ_FUNCTION u(T x) { return T(k) * (x + T(c) * x * x * x); }
  RZ_FUNCTION u1(T x) { return T(k) * (T(1) + T(3 * c) * x * x); }
};

struct Silu {  // x sigmoid(x)
  static constexpr bool uses_output = false, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = 1.09983932, default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return x * math::logistic(x); }
  RZ_FUNCTION derivative(T x, T) {
    const T s = math::logistic(x);
    return s * (T(1) + x * (T(1) - s));
  }
  RZ_FUNCTION second_derivative(T x, T) {
    const T s = math::logistic(x);
    return s * (T(1) - s) * (T(2) + x * (T(1) - T(2) * s));
  }
};

struct Selu {  // lambda x for x > 0, lambda alpha (exp(x) - 1) below (Klambauer et al. 2017)
  static constexpr bool uses_output = false, slopes_0_and_1 = false;
  static constexpr std::array<double, 1> kinks{0};
  static constexpr double lambda = 1.05070098735548049342, alpha = 1.67326324235437728482;
  static constexpr double max_slope = lambda * alpha, default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return x > T(0) ? T(lambda) * x : T(lambda * alpha) * math::expm1(x); }
  RZ_FUNCTION derivative(T x, T) { return x > T(0) ? T(lambda) : T(lambda * alpha) * math::exp(x); }
  RZ_FUNCTION second_derivative(T x, T) { return x > T(0) ? T(0) : T(lambda * alpha) * math::exp(x); }
};

struct Sin {
  static constexpr bool uses_output = false, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = 1, default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return math::sin(x); }
  RZ_FUNCTION derivative(T x, T) { return math::cos(x); }
  RZ_FUNCTION second_derivative(T x, T) { return -math::sin(x); }
};

// Elementary functions: building blocks of composite operations, not offered as activations.

struct Exp {
  static constexpr bool uses_output = true, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = __builtin_huge_val(), default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return math::exp(x); }
  RZ_FUNCTION derivative(T y, T) { return y; }
  RZ_FUNCTION second_derivative(T x, T) { return math::exp(x); }
};

struct Log {
  static constexpr bool uses_output = false, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = __builtin_huge_val(), default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return math::log(x); }
  RZ_FUNCTION derivative(T x, T) { return T(1) / x; }
  RZ_FUNCTION second_derivative(T x, T) { return T(-1) / (x * x); }
};

struct Sqrt {
  static constexpr bool uses_output = true, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = __builtin_huge_val(), default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return math::sqrt(x); }
  RZ_FUNCTION derivative(T y, T) { return T(0.5) / y; }
  RZ_FUNCTION second_derivative(T x, T) { return T(-0.25) / (x * math::sqrt(x)); }
};

struct Square {
  static constexpr bool uses_output = false, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = __builtin_huge_val(), default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return x * x; }
  RZ_FUNCTION derivative(T x, T) { return T(2) * x; }
  RZ_FUNCTION second_derivative(T, T) { return T(2); }
};

struct Reciprocal {  // 1 / x
  static constexpr bool uses_output = true, slopes_0_and_1 = false;
  static constexpr std::array<double, 0> kinks{};
  static constexpr double max_slope = __builtin_huge_val(), default_parameter = 0;
  RZ_FUNCTION value(T x, T) { return T(1) / x; }
  RZ_FUNCTION derivative(T y, T) { return -y * y; }
  RZ_FUNCTION second_derivative(T x, T) { return T(2) / (x * x * x); }
};

#undef RZ_FUNCTION
}  // namespace scalars

RZ_ISA_END

// X(name, struct): the activations, by the names that recipes, files and references use.
// clang-format off
#define RZ_ACTIVATIONS(X)                                                                             \
  X(identity, Identity) X(relu, Relu) X(leaky_relu, LeakyRelu) X(tanh, Tanh) X(erf, Erf)              \
  X(erf_unit, ErfUnit) X(hard_tanh, HardTanh) X(sigmoid, Sigmoid) X(gelu, Gelu) X(gelu_tanh, GeluTanh) \
  X(silu, Silu) X(selu, Selu) X(sin, Sin)
#define RZ_ELEMENTARY_FUNCTIONS(X) X(exp, Exp) X(log, Log) X(sqrt, Sqrt) X(square, Square) X(reciprocal, Reciprocal)
#define RZ_SCALAR_FUNCTIONS(X) RZ_ACTIVATIONS(X) RZ_ELEMENTARY_FUNCTIONS(X)
// clang-format on

enum class ScalarFunction : std::uint8_t {
#define RZ_ENUMERATOR(name, type) name,
  RZ_SCALAR_FUNCTIONS(RZ_ENUMERATOR)
#undef RZ_ENUMERATOR
};

// A function with its parameter (only leaky_relu has one: the negative slope).
struct Scalar {
  ScalarFunction function = ScalarFunction::identity;
  double parameter = 0;
  Scalar() = default;
  Scalar(ScalarFunction f);  // with its default parameter
  Scalar(ScalarFunction f, double p) : function(f), parameter(p) {}
};

struct ScalarInfo {
  std::string_view name;
  bool uses_output;
  bool slopes_0_and_1;
  std::span<const double> kinks;
  double max_slope;
  double default_parameter;
};
const ScalarInfo& info(ScalarFunction f);
std::span<const ScalarFunction> activations();           // all of RZ_ACTIVATIONS
ScalarFunction activation_named(std::string_view name);  // Throws: value (lists the names, and the nearest one)

// On the host, in f64: order 0, 1, 2 give f, f', f''.
double evaluate(Scalar f, int order, double x);

}  // namespace rz
