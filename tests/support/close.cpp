#include "support/close.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace rz::test {
namespace {

std::string index_text(std::size_t flat, const Shape& shape) {
  std::string text;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const std::size_t extent = static_cast<std::size_t>(shape[axis]);
    text = std::to_string(flat % extent) + (text.empty() ? "" : ", ") + text;
    flat /= extent;
  }
  return "[" + text + "]";
}

Comparison compare(const std::vector<double>& a, const std::vector<double>& b, double tolerance, const Shape& shape) {
  std::size_t worst = 0, outside = 0;
  double largest = -1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double error = std::abs(a[i] - b[i]) / std::max(1.0, std::abs(b[i]));
    if (a[i] == b[i]) error = 0;  // equal infinities
    if (std::isnan(error)) error = HUGE_VAL;
    outside += !(error <= tolerance);
    if (error > largest) {
      largest = error;
      worst = i;
    }
  }
  if (a.empty()) return {true, "both empty"};
  char text[256];
  std::snprintf(text, sizeof text,
                "%zu of %zu elements differ by more than %.3g; worst at %s: %.17g against %.17g (%.3g)", outside,
                a.size(), tolerance, index_text(worst, shape).c_str(), a[worst], b[worst], largest);
  return {outside == 0, text};
}

Shape flat(const std::vector<double>& values) { return {static_cast<std::int64_t>(values.size())}; }

Comparison different_shapes(const Shape& a, const Shape& b) { return {false, "shapes " + text(a) + " and " + text(b)}; }

}  // namespace

Comparison close(const Tensor& a, const Tensor& b, double tolerance) {
  if (!(a.shape() == b.shape())) return different_shapes(a.shape(), b.shape());
  return compare(a.to_vector(), b.to_vector(), tolerance, a.shape());
}

Comparison close(const Tensor& a, const std::vector<double>& b, double tolerance) {
  if (a.elements() != flat(b).elements()) return different_shapes(a.shape(), flat(b));
  return compare(a.to_vector(), b, tolerance, a.shape());
}

Comparison close(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  if (a.size() != b.size()) return different_shapes(flat(a), flat(b));
  return compare(a, b, tolerance, flat(a));
}

Comparison close(double a, double b, double tolerance) { return compare({a}, {b}, tolerance, {1}); }

Comparison identical(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return different_shapes(a.shape(), b.shape());
  if (a.dtype() != b.dtype())
    return {false, "dtypes " + std::string(name(a.dtype())) + " and " + std::string(name(b.dtype()))};
  std::vector<char> bytes_a(a.bytes()), bytes_b(b.bytes());
  if (bytes_a.empty()) return {true, "both empty"};
  a.to_host(bytes_a.data());
  b.to_host(bytes_b.data());
  const std::size_t size = size_of(a.dtype());
  const auto first = std::mismatch(bytes_a.begin(), bytes_a.end(), bytes_b.begin()).first;
  if (first == bytes_a.end()) return {true, "the same bits"};
  const std::size_t i = static_cast<std::size_t>(first - bytes_a.begin()) / size;
  char text[128];
  std::snprintf(text, sizeof text, "bits differ first at %s: %.17g against %.17g", index_text(i, a.shape()).c_str(),
                a.to_vector()[i], b.to_vector()[i]);
  return {false, text};
}

std::string message_of(ErrorCode code, void (*f)(void*), void* context) {
  try {
    f(context);
  } catch (const Error& error) {
    CHECK(static_cast<int>(error.code()) == static_cast<int>(code));
    return error.code() == code ? error.message() : "";
  }
  FAIL_CHECK("no rz::Error was thrown");
  return "";
}

Comparison mentions(const std::string& text, const std::vector<std::string>& parts) {
  std::size_t position = 0;
  for (const std::string& part : parts) {
    position = text.find(part, position);
    if (position == std::string::npos) return {false, "'" + text + "' lacks '" + part + "'"};
    position += part.size();
  }
  return {true, text};
}

}  // namespace rz::test
