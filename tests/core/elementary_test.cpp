#include "core/elementary.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "core/ops.h"
#include "core/tensor.h"

using namespace rz;

namespace {

template <class T>
constexpr DType real = sizeof(T) == sizeof(float) ? DType::f32 : DType::f64;

// As the kernels of this process's instruction set compute it: through an array, in vectors.
template <class T>
std::vector<T> computed(ScalarFunction f, const std::vector<T>& x) {
  const Tensor values({static_cast<std::int64_t>(x.size())}, real<T>);
  std::copy(x.begin(), x.end(), values.data<T>());
  const Tensor y = ops::scalar(f, 0, values);
  return {y.data<T>(), y.data<T>() + x.size()};
}

template <class T>
long double ulp_of(long double exact) {
  const int exponent = std::max(std::ilogb(exact), std::numeric_limits<T>::min_exponent - 1);
  return std::ldexp(1.0L, exponent + 1 - std::numeric_limits<T>::digits);
}

struct Worst {
  double error = 0, at = 0;  // in ulp
};

// f32 kernels take denormals as 0, as argument and as result.
template <class T>
Worst worst(const std::vector<T>& y, long double (*exact)(long double), const std::vector<T>& x) {
  const bool flushes = real<T> == DType::f32;
  Worst result;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double wanted = exact(x[i]);
    if (std::fabs(wanted) > static_cast<long double>(std::numeric_limits<T>::max())) {
      CHECK(std::isinf(y[i]));
      continue;
    }
    if (flushes && std::fabs(wanted) < static_cast<long double>(std::numeric_limits<T>::min())) {
      CHECK(std::fabs(y[i]) <= std::numeric_limits<T>::min());
      continue;
    }
    const double error = wanted == 0 ? static_cast<double>(std::fabs(y[i])) / std::numeric_limits<T>::denorm_min()
                                     : static_cast<double>(std::fabs(y[i] - wanted) / ulp_of<T>(wanted));
    if (!(error <= result.error)) result = {error, static_cast<double>(x[i])};
  }
  return result;
}

template <class T>
Worst worst(ScalarFunction f, long double (*exact)(long double), const std::vector<T>& x) {
  return worst(computed(f, x), exact, x);
}

// No function of its own: selu computes with it.
template <class T>
std::vector<T> expm1_of(const std::vector<T>& x) {
  std::vector<T> y;
  for (const T value : x) y.push_back(math::expm1(value));
  return y;
}

// Every 997th normal number of f32 in [low, high].
std::vector<float> floats(float low, float high) {
  std::vector<float> result{low, high};
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 997) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (std::isnormal(x) && x >= low && x <= high) result.push_back(x);
  }
  return result;
}

// Evenly spaced by value, and by logarithm down to 1e-300.
std::vector<double> doubles(double low, double high) {
  constexpr int count = 400 * 1000;
  std::mt19937_64 generator(1);
  std::uniform_real_distribution<double> value(low, high), logarithm(-690, std::log(std::max(-low, high)));
  std::vector<double> result{low, high};
  for (int i = 0; i < count; ++i) {
    result.push_back(value(generator));
    const double size = std::exp(logarithm(generator)), x = low < 0 && i % 2 ? -size : size;
    if (x >= low && x <= high) result.push_back(x);
  }
  return result;
}

#define CHECK_WITHIN(limit, ...)              \
  {                                           \
    const Worst found = worst(__VA_ARGS__);   \
    INFO("at ", found.at, ": ", found.error); \
    CHECK(found.error <= (limit));            \
  }

template <class T>
void check_special_values() {
  constexpr T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  // Enough of them for whole vectors, and some more.
  const auto same = [](ScalarFunction f, T x, T wanted) {
    INFO(std::string(info(f).name), " of ", static_cast<double>(x));
    for (const T y : computed(f, std::vector<T>(37, x))) {
      CHECK((std::isnan(wanted) ? std::isnan(y) : y == wanted));
      CHECK((std::isnan(wanted) || std::signbit(y) == std::signbit(wanted)));
    }
  };
  using enum ScalarFunction;
  for (const ScalarFunction f : {exp, log, tanh, erf}) same(f, nan, nan);
  same(exp, infinity, infinity);
  same(exp, -infinity, 0);
  for (const T x : {T(0), T(-0.0)}) {
    same(exp, x, 1);
    same(log, x, -infinity);
    same(tanh, x, x);
    same(erf, x, x);
  }
  same(log, 1, 0);
  same(log, infinity, infinity);
  for (const T x : {T(-1), -infinity, std::numeric_limits<T>::lowest()}) same(log, x, nan);
  for (const ScalarFunction f : {tanh, erf}) {
    for (const T x : {infinity, std::numeric_limits<T>::max(), T(30)}) {
      same(f, x, 1);
      same(f, -x, -1);
    }
  }
}

}  // namespace

TEST_SUITE("core/elementary") {
  TEST_CASE("elementary functions: at most 1 ulp in f32") {
    CHECK_WITHIN(1, ScalarFunction::exp, std::exp, floats(-110, 100));
    CHECK_WITHIN(1, ScalarFunction::log, std::log, floats(std::numeric_limits<float>::min(), 3e38F));
    CHECK_WITHIN(1, ScalarFunction::tanh, std::tanh, floats(-20, 20));
    CHECK_WITHIN(1, ScalarFunction::erf, std::erf, floats(-5, 5));
  }

  TEST_CASE("elementary functions: at most 2 ulp in f64") {
    CHECK_WITHIN(2, ScalarFunction::exp, std::exp, doubles(-750, 720));
    CHECK_WITHIN(2, ScalarFunction::log, std::log, doubles(0, 10));
    CHECK_WITHIN(2, ScalarFunction::log, std::log, doubles(0, 1e308));
    CHECK_WITHIN(2, ScalarFunction::tanh, std::tanh, doubles(-25, 25));
    CHECK_WITHIN(2, ScalarFunction::erf, std::erf, doubles(-7, 7));
  }

  TEST_CASE("elementary functions: expm1 at most 2 ulp") {
    const std::vector<float> singles = floats(-110, 100);
    const std::vector<double> numbers = doubles(-750, 720);
    CHECK_WITHIN(2, expm1_of(singles), std::expm1, singles);
    CHECK_WITHIN(2, expm1_of(numbers), std::expm1, numbers);
  }

  TEST_CASE("elementary functions: zeros, infinities and NaN") {
    check_special_values<float>();
    check_special_values<double>();
  }
}
