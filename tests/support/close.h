// Comparisons for CHECK that print the worst element: CHECK(close(y, expected, 1e-12)), CHECK(identical(a, b)).
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <type_traits>
#include <vector>

#include "core/error.h"
#include "core/tensor.h"

namespace rz::test {

struct Comparison {
  bool holds = false;
  std::string text;  // the worst element, or what differs in kind
  explicit operator bool() const { return holds; }
};

// |a_i - b_i| <= tolerance max(1, |b_i|) for every i, in f64; NaN is close to nothing. Tensors may be on any device and
// of any dtype, but need one shape; a vector needs as many elements.
Comparison close(const Tensor& a, const Tensor& b, double tolerance);
Comparison close(const Tensor& a, const std::vector<double>& b, double tolerance);
Comparison close(const std::vector<double>& a, const std::vector<double>& b, double tolerance);
Comparison close(double a, double b, double tolerance);

// The same shape, dtype and bits.
Comparison identical(const Tensor& a, const Tensor& b);

// The message of the Error that f throws; fails the test and returns "" if it throws none, or one with another code.
std::string message_of(ErrorCode code, void (*f)(void*), void* context);
template <class F>
std::string message_of(ErrorCode code, F&& f) {
  using Function = std::remove_reference_t<F>;
  return message_of(code, [](void* context) { (*static_cast<Function*>(context))(); }, &f);
}
// Whether text holds every part, in this order.
Comparison mentions(const std::string& text, const std::vector<std::string>& parts);

}  // namespace rz::test

template <>
struct doctest::StringMaker<rz::test::Comparison> {
  static doctest::String convert(const rz::test::Comparison& comparison) { return comparison.text.c_str(); }
};
