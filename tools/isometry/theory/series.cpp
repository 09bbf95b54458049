#include "tools/isometry/theory/series.h"

#include <cmath>

namespace rz::isometry {
namespace {

constexpr std::size_t terms = std::tuple_size_v<Series>;

}  // namespace

Series product(const Series& a, const Series& b) {
  Series c{};
  for (std::size_t i = 0; i < terms; ++i) {
    for (std::size_t j = 0; i + j < terms; ++j) c[i + j] += a[i] * b[j];
  }
  return c;
}

Series quotient(const Series& a, const Series& b) {
  Series c{};
  for (std::size_t n = 0; n < terms; ++n) {
    long double rest = a[n];
    for (std::size_t j = 1; j <= n; ++j) rest -= b[j] * c[n - j];
    c[n] = rest / b[0];
  }
  return c;
}

Series log(const Series& a) {  // from a' = a (ln a)'
  Series c{};
  for (std::size_t n = 1; n < terms; ++n) {
    long double rest = a[n] * static_cast<long double>(n);
    for (std::size_t j = 1; j < n; ++j) rest -= static_cast<long double>(j) * c[j] * a[n - j];
    c[n] = rest / static_cast<long double>(n);
  }
  return c;
}

Series exp(const Series& a) {
  Series c{1};
  for (std::size_t n = 1; n < terms; ++n) {
    for (std::size_t j = 1; j <= n; ++j) c[n] += static_cast<long double>(j) * a[j] * c[n - j];
    c[n] /= static_cast<long double>(n);
  }
  return c;
}

Series inverse(const Series& a) {  // Lagrange: n b_n is the coefficient of t^(n-1) in (t / a)^n
  Series ratio = quotient({1}, shifted(a)), power{1}, b{};
  for (std::size_t n = 1; n < terms; ++n) {
    power = product(power, ratio);
    b[n] = power[n - 1] / static_cast<long double>(n);
  }
  return b;
}

Series shifted(const Series& a) {
  Series b{};
  for (std::size_t n = 1; n < terms; ++n) b[n - 1] = a[n];
  return b;
}

Series log_one_plus() {
  Series c{};
  for (std::size_t n = 1; n < terms; ++n) c[n] = (n % 2 ? 1.0L : -1.0L) / static_cast<long double>(n);
  return c;
}

}  // namespace rz::isometry
