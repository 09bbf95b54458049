#include "core/scalar_functions.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/close.h"

using namespace rz;
using rz::test::close;
using rz::test::mentions;
using rz::test::message_of;

namespace {

constexpr ScalarFunction all_functions[] = {
#define RZ_ENTRY(name, type) ScalarFunction::name,
    RZ_SCALAR_FUNCTIONS(RZ_ENTRY)
#undef RZ_ENTRY
};

// Points of the function's domain, none of them within 0.01 of a kink.
std::vector<double> points(ScalarFunction f) {
  const bool positive = f == ScalarFunction::log || f == ScalarFunction::sqrt || f == ScalarFunction::reciprocal;
  const std::span<const double> kinks = info(f).kinks;
  std::vector<double> result;
  for (double x = positive ? 0.5 : -4.0; x < 4; x += 0.0637) {
    if (std::none_of(kinks.begin(), kinks.end(), [x](double kink) { return std::abs(x - kink) < 0.01; }))
      result.push_back(x);
  }
  return result;
}

std::vector<double> values(Scalar f, int order, const std::vector<double>& at) {
  std::vector<double> result;
  for (double x : at) result.push_back(evaluate(f, order, x));
  return result;
}

// Error h^4 f^(5) / 30.
double central_difference(Scalar f, int order, double x) {
  const double h = 1e-3;
  const auto e = [&](double at) { return evaluate(f, order, at); };
  return (e(x - 2 * h) - 8 * e(x - h) + 8 * e(x + h) - e(x + 2 * h)) / (12 * h);
}

}  // namespace

TEST_SUITE("core/scalar_functions") {
  TEST_CASE("scalar functions: derivatives agree with central differences") {
    for (ScalarFunction f : all_functions) {
      INFO(std::string(info(f).name));
      for (int order = 0; order < 2; ++order) {
        std::vector<double> differences;
        for (double x : points(f)) differences.push_back(central_difference(f, order, x));
        CHECK(close(values(f, order + 1, points(f)), differences, 1e-9));
      }
    }
  }

  TEST_CASE("scalar functions: f32 agrees with f64"){
#define RZ_COMPARE(name, type)                                                                         \
  {                                                                                                    \
    INFO(#name);                                                                                       \
    using F = scalars::type;                                                                           \
    const float p = static_cast<float>(F::default_parameter);                                          \
    std::vector<double> f[3];                                                                          \
    for (double x : points(ScalarFunction::name)) {                                                    \
      const float x32 = static_cast<float>(x);                                                         \
      f[0].push_back(double{F::value(x32, p)});                                                        \
      f[1].push_back(double{F::derivative(F::uses_output ? F::value(x32, p) : x32, p)});               \
      f[2].push_back(double{F::second_derivative(x32, p)});                                            \
    }                                                                                                  \
    for (int order = 0; order < 3; ++order)                                                            \
      CHECK(close(f[order], values(ScalarFunction::name, order, points(ScalarFunction::name)), 4e-6)); \
  }
      RZ_SCALAR_FUNCTIONS(RZ_COMPARE)
#undef RZ_COMPARE
  }

  TEST_CASE("scalar functions: max_slope is the largest slope of a fine grid") {
    for (ScalarFunction f : activations()) {
      INFO(std::string(info(f).name));
      double largest = 0;
      for (int i = -100000; i <= 100000; ++i) largest = std::max(largest, std::abs(evaluate(f, 1, i * 1e-4)));
      CHECK(close(info(f).max_slope, largest, 1e-6));
    }
  }

  TEST_CASE("scalar functions: slopes jump at the kinks and nowhere else") {
    for (ScalarFunction f : activations()) {
      INFO(std::string(info(f).name));
      for (double kink : info(f).kinks)
        CHECK(std::abs(evaluate(f, 1, kink + 1e-9) - evaluate(f, 1, kink - 1e-9)) > 0.1);
      const double step = 1e-3;
      std::vector<double> jumps;
      for (double x = -5.00037; x < 5; x += step) {
        const std::span<const double> kinks = info(f).kinks;
        const bool jumps_here =
            std::any_of(kinks.begin(), kinks.end(), [&](double kink) { return x <= kink && kink <= x + step; });
        if (!jumps_here) jumps.push_back(evaluate(f, 1, x + step) - evaluate(f, 1, x));
      }
      CHECK(close(jumps, std::vector<double>(jumps.size(), 0.0), 2 * step));
    }
  }

  TEST_CASE("scalar functions: known values") {
    const struct {
      ScalarFunction f;
      double x, y;
    } rows[] = {
        {ScalarFunction::tanh, 1, 0.761594155955764888119},
        {ScalarFunction::erf, 1, 0.842700792949714869341},
        {ScalarFunction::erf_unit, 0.5, 0.4691159489300593},
        {ScalarFunction::sigmoid, 1, 0.731058578630004879251},
        {ScalarFunction::gelu, 1, 0.841344746068542948585},
        {ScalarFunction::gelu_tanh, 1, 0.841191990608276},
        {ScalarFunction::silu, 1, 0.731058578630004879251},
        {ScalarFunction::selu, -1, -1.11133073781256},
        {ScalarFunction::selu, 2, 2.10140197471096098684},
        {ScalarFunction::hard_tanh, 1.5, 1},
        {ScalarFunction::leaky_relu, -2, -0.02},
        {ScalarFunction::relu, -2, 0},
        {ScalarFunction::sin, 1, 0.841470984807896506653},
        {ScalarFunction::identity, -7, -7},
    };
    for (const auto& row : rows) {
      INFO(std::string(info(row.f).name));
      CHECK(close(evaluate(row.f, 0, row.x), row.y, 1e-14));
    }
    CHECK(evaluate(ScalarFunction::erf_unit, 1, 0) == 1);
    CHECK(close(info(ScalarFunction::erf).max_slope, evaluate(ScalarFunction::erf, 1, 0), 1e-15));
  }

  TEST_CASE("scalar functions: far out nothing overflows, and NaN stays NaN") {
    for (ScalarFunction f : activations()) {
      INFO(std::string(info(f).name));
      for (double x : {-1e4, -100.0, 100.0, 1e4}) {
        for (int order = 0; order < 3; ++order) CHECK(std::isfinite(evaluate(f, order, x)));
      }
      CHECK(std::isnan(evaluate(f, 0, std::numeric_limits<double>::quiet_NaN())));
    }
    CHECK(evaluate(ScalarFunction::sigmoid, 0, -1000) == 0);
    CHECK(evaluate(ScalarFunction::sigmoid, 0, 1000) == 1);
  }

  TEST_CASE("scalar functions: the negative slope of leaky_relu is its parameter") {
    CHECK(Scalar(ScalarFunction::leaky_relu).parameter == 0.01);
    const Scalar steep(ScalarFunction::leaky_relu, 0.2);
    CHECK(evaluate(steep, 0, -3) == 0.2 * -3);
    CHECK(evaluate(steep, 1, -3) == 0.2);
    CHECK(evaluate(steep, 1, 3) == 1);
  }

  TEST_CASE("scalar functions: slopes_0_and_1 holds where every slope is 0 or 1") {
    int found = 0;
    for (const ScalarFunction f : activations()) {
      bool all = true;
      for (double x = -4.03; x < 4; x += 0.01) {
        const double slope = evaluate(f, 1, x);
        all = all && (slope == 0 || slope == 1);
      }
      INFO(info(f).name);
      CHECK(info(f).slopes_0_and_1 == all);
      found += all;
    }
    CHECK(found == 3);  // identity, relu, hard_tanh
  }

  TEST_CASE("scalar functions: an unknown activation gets the list of names and the nearest") {
    std::vector<std::string> names;
    for (ScalarFunction f : activations()) {
      CHECK(activation_named(info(f).name) == f);
      names.emplace_back(info(f).name);
    }
    const std::string message = message_of(ErrorCode::value, [] { activation_named("rleu"); });
    CHECK(mentions(message, {"activation", "'rleu'", "did you mean 'relu'"}));
    CHECK(mentions(message, names));
    CHECK(message_of(ErrorCode::value, [] { activation_named("exp"); }).find("mean 'exp'") == std::string::npos);
  }
}
