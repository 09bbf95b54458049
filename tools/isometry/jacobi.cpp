#include "tools/isometry/jacobi.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "core/error.h"
#include "core/linalg.h"
#include "tools/isometry/scaling.h"

namespace rz::isometry {
namespace {

// Eight sums, which the compiler keeps in registers.
double dot(const double* x, const double* y, std::int64_t n) {
  constexpr int lanes = 8;
  std::array<double, lanes> sums{};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int l = 0; l < lanes; ++l) sums[static_cast<std::size_t>(l)] += x[i + l] * y[i + l];
  }
  double sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  for (; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

struct Row {
  double* data;
  std::int64_t exponent;
  double square;  // of the norm of data
};

bool shorter(const Row& a, const Row& b) {
  const Scaled x = Scaled::of(a.square, 2 * a.exponent), y = Scaled::of(b.square, 2 * b.exponent);
  if (x.mantissa == 0 || y.mantissa == 0) return x.mantissa < y.mantissa;
  return std::pair(x.exponent, x.mantissa) < std::pair(y.exponent, y.mantissa);
}

// Makes the rows P = 2^p.exponent p and Q = 2^q.exponent q orthogonal, |P| >= |Q|, by P' = c (P + u Q),
// Q' = c (Q - u P). With s = 2^(q.exponent - p.exponent), u = v s, and v is of order 1 however small s is.
void rotate(Row& p, Row& q, double product, std::int64_t n) {
  const std::int64_t shift = q.exponent - p.exponent;
  const double s = times_power(1, shift), half = 0.5 * (p.square - q.square * s * s);
  const double v = product / (half + std::hypot(half, product * s));
  const double u = v * s, c = 1 / std::sqrt(1 + u * u), from_q = c * v * s * s, from_p = c * v;
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = p.data[i], y = q.data[i];
    p.data[i] = c * x + from_q * y;
    q.data[i] = c * y - from_p * x;
  }
  p.square = dot(p.data, p.data, n);
  q.square = dot(q.data, q.data, n);
}

// A row that became much shorter in orthogonalisation gets a new exponent, so that squares do not underflow.
void rescale(Row& row, std::int64_t n) {
  if (row.square == 0 || row.square > 0x1p-100) return;
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(row.data[i]));
  const int shift = std::ilogb(largest);
  for (std::int64_t i = 0; i < n; ++i) row.data[i] = std::ldexp(row.data[i], -shift);
  row.exponent += shift;
  row.square = dot(row.data, row.data, n);
}

// One sweep over all pairs, longer rows first (de Rijk); whether every pair was orthogonal.
bool sweep(std::vector<Row>& rows, std::int64_t n, double tolerance) {
  bool orthogonal = true;
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    std::swap(rows[i], *std::max_element(rows.begin() + static_cast<std::ptrdiff_t>(i), rows.end(), shorter));
    for (std::size_t j = i + 1; j < rows.size(); ++j) {
      Row &p = rows[i], &q = rows[j];
      const double product = dot(p.data, q.data, n);
      if (std::fabs(product) <= tolerance * std::sqrt(p.square) * std::sqrt(q.square)) continue;
      orthogonal = false;
      if (shorter(p, q)) std::swap(p, q);
      rotate(p, q, product, n);
      rescale(q, n);
    }
  }
  return orthogonal;
}

}  // namespace

Scaled Scaled::of(double value, std::int64_t exponent) {
  if (value == 0) return {};
  int shift = 0;
  double mantissa = std::frexp(value, &shift);
  if (mantissa < std::numbers::sqrt2 / 2) {
    mantissa *= 2;
    --shift;
  }
  return {mantissa, exponent + shift};
}

double Scaled::log10() const {
  return std::log10(mantissa) + static_cast<double>(mantissa == 0 ? 0 : exponent) * std::log10(2.0);
}

double Scaled::value() const { return times_power(mantissa, exponent); }

std::vector<Scaled> jacobi_singular_values(const Tensor& a, std::span<const std::int64_t> exponents) {
  const Shape& shape = a.shape();
  RZ_CHECK(shape, shape.rank() == 2 && shape[0] <= shape[1] && shape[0] == std::ssize(exponents),
           "jacobi: {} needs at most as many rows as columns, and an exponent per row ({} are given)", shape,
           exponents.size());
  RZ_CHECK(dtype, a.dtype() == DType::f64, "jacobi: the matrix is {}, but must be f64", a.dtype());
  check_finite(a, "jacobi", "matrix");
  const Tensor work = a.clone();
  const std::int64_t k = shape[0], n = shape[1];
  std::vector<Row> rows;
  for (std::int64_t i = 0; i < k; ++i) {
    double* const data = work.data<double>() + i * n;
    rows.push_back({data, exponents[static_cast<std::size_t>(i)], dot(data, data, n)});
    rescale(rows.back(), n);
  }
  const double tolerance = std::numeric_limits<double>::epsilon() * std::sqrt(static_cast<double>(n));
  int sweeps = 0;
  while (!sweep(rows, n, tolerance))
    RZ_CHECK(library, ++sweeps < 60, "jacobi: {} is not diagonal after {} sweeps", shape, sweeps);
  std::sort(rows.begin(), rows.end(), [](const Row& x, const Row& y) { return shorter(y, x); });
  std::vector<Scaled> values;
  for (const Row& row : rows) values.push_back(Scaled::of(std::sqrt(row.square), row.exponent));
  return values;
}

}  // namespace rz::isometry
