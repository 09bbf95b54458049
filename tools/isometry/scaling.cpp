#include "tools/isometry/scaling.h"

#include <algorithm>
#include <cmath>

namespace rz::isometry {
namespace {

std::vector<double> powers_of_two(const Exponents& exponents) {
  std::vector<double> powers;
  for (const std::int64_t e : exponents) powers.push_back(times_power(1, e));
  return powers;
}

bool moderate(const Exponents& exponents) {
  return std::all_of(exponents.begin(), exponents.end(), [](std::int64_t e) { return e >= -250 && e <= 250; });
}

}  // namespace

Sizes sizes_of(const Tensor& a) {
  const std::int64_t m = a.shape()[0], n = a.shape()[1];
  Sizes sizes{std::vector<double>(static_cast<std::size_t>(m)), std::vector<double>(static_cast<std::size_t>(n))};
  const double* x = a.data<double>();
  for (double& row : sizes.rows) {
    for (double& column : sizes.columns) {
      const double size = std::fabs(*x++);
      row = std::max(row, size);
      column = std::max(column, size);
    }
  }
  return sizes;
}

Exponents exponents_of(const std::vector<double>& sizes) {
  Exponents exponents;
  for (const double size : sizes) exponents.push_back(std::ilogb(size));
  return exponents;
}

std::int64_t range_of(const Exponents& e) {
  const auto [low, high] = std::minmax_element(e.begin(), e.end());
  return *high - *low;
}

Exponents negated(Exponents e) {
  for (std::int64_t& x : e) x = -x;
  return e;
}

double times_power(double x, std::int64_t exponent) {
  return std::ldexp(x, static_cast<int>(std::clamp<std::int64_t>(exponent, -4000, 4000)));
}

Tensor scaled(const Tensor& a, const Exponents& rows, const Exponents& columns) {
  Tensor result(a.shape(), DType::f64);
  const double* from = a.data<double>();
  double* to = result.data<double>();
  if (moderate(rows) && moderate(columns)) {  // products are faster than shifts
    const std::vector<double> powers = powers_of_two(columns);
    for (const double r : powers_of_two(rows)) {
      for (const double c : powers) *to++ = *from++ * (r * c);
    }
  } else {
    for (const std::int64_t r : rows) {
      for (const std::int64_t c : columns) *to++ = times_power(*from++, r + c);
    }
  }
  return result;
}

}  // namespace rz::isometry
