#include "tools/isometry/product.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "core/linalg.h"
#include "core/ops.h"
#include "tools/isometry/jacobi.h"
#include "tools/isometry/scaling.h"

namespace rz::isometry {
namespace {

using Indices = std::vector<std::int64_t>;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

// Rows (or columns) that one QR sees differ by at most this power of two: so much of eps may be lost.
constexpr std::int64_t mild = 10;

Indices natural(std::int64_t n) {
  Indices all(at(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

Tensor indices_of(const Indices& i) { return Tensor::of_integers({std::ssize(i)}, i); }

Tensor rows_of(const Tensor& a, const Indices& rows) {
  return rows == natural(a.shape()[0]) ? a : ops::gather_rows(a, indices_of(rows));
}

Tensor columns_of(const Tensor& a, const Indices& columns) {
  return columns == natural(a.shape()[1]) ? a : ops::gather_columns(a, indices_of(columns));
}

Indices nonzero(const std::vector<double>& sizes) {
  Indices found;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] > 0) found.push_back(static_cast<std::int64_t>(i));
  }
  return found;
}

// ln of the norm of each column of c, in the scale of D.
std::vector<double> log_norms(const Tensor& c, const Exponents& exponents) {
  const std::int64_t m = c.shape()[0], n = c.shape()[1];
  std::vector<double> squares(at(n));
  const double* x = c.data<double>();
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j, ++x) squares[at(j)] += *x * *x;
  }
  for (std::size_t j = 0; j < squares.size(); ++j)
    squares[j] = 0.5 * std::log(squares[j]) + std::numbers::ln2 * static_cast<double>(exponents[j]);
  return squares;
}

template <class T>
std::vector<T> chosen(const std::vector<T>& values, const Indices& indices) {
  std::vector<T> result;
  for (const std::int64_t i : indices) result.push_back(values[at(i)]);
  return result;
}

// Columns in descending order of their norms, what is lost at the end, and equals as they stand.
Indices sorted(const std::vector<double>& norms, const std::vector<char>& lost) {
  Indices order = natural(std::ssize(norms));
  std::sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
    return std::tuple(lost[at(i)], -norms[at(i)], i) < std::tuple(lost[at(j)], -norms[at(j)], j);
  });
  return order;
}

}  // namespace

void ProductSpectrum::start(const Tensor& factor) {
  cols_ = rows_ = factor.shape()[1];
  active_ = natural(cols_);
  u_ = t_ = Tensor::identity(cols_);
  exponents_.assign(at(cols_), 0);
  row_exponents_.assign(at(cols_), 0);
  lost_.assign(at(cols_), 0);
}

// The factor without columns that meet only zeros of the product and without its own columns and rows of zeros; U
// without the rows that it does not see. Undefined when nothing is left.
Tensor ProductSpectrum::active_part(const Tensor& factor) {
  const Tensor seen = columns_of(factor, active_);
  const Sizes sizes = sizes_of(seen);
  const Indices rows = nonzero(sizes.rows), columns = nonzero(sizes.columns);
  active_ = rows;
  if (rows.empty()) return {};
  const Tensor u = rows_of(u_, columns);
  row_exponents_ = chosen(row_exponents_, columns);
  if (u.shape()[0] < u.shape()[1])  // fewer units than directions: some are lost here, whatever the factor does
    multiply(u, 1);
  else
    u_ = u;
  return columns_of(rows_of(seen, rows), columns);
}

// The product becomes c D T, c [m, k] = the new factor times U; row_norm: of that factor's rows, at most. c and so R
// have errors of eps row_norm.
void ProductSpectrum::multiply(const Tensor& c, double row_norm) {
  const Indices order = sorted(log_norms(c, exponents_), lost_);
  const Exponents e = chosen(exponents_, order);
  const std::vector<char> lost = chosen(lost_, order);

  const Qr factors = qr(columns_of(c, order));
  const std::int64_t m = c.shape()[0], k = c.shape()[1], q = std::min(m, k);
  Tensor scaled_r = Tensor::zeros({q, k}, DType::f64);
  const double* const r = factors.r.data<double>();
  double* const to = scaled_r.data<double>();
  for (std::int64_t i = 0; i < q; ++i) {
    for (std::int64_t j = i; j < k; ++j) to[i * k + j] = times_power(r[i * k + j], e[at(j)] - e[at(i)]);
  }
  const Tensor t = ops::gemm(Transpose::no, scaled_r, Transpose::no, rows_of(t_, order));

  const std::vector<double> sizes = sizes_of(t).rows;
  const Indices kept = nonzero(sizes);  // a row of zeros is an exact zero of the arithmetic
  const double noise = row_norm * static_cast<double>(std::max(m, k)) * std::numeric_limits<double>::epsilon();
  exponents_.clear();
  lost_.clear();
  for (const std::int64_t i : kept) {
    lost_.push_back(static_cast<char>(lost[at(i)] || std::fabs(r[i * k + i]) <= noise));
    exponents_.push_back(std::ilogb(sizes[at(i)]));
  }
  t_ = {};
  u_ = {};
  if (kept.empty()) return;
  t_ = scaled(rows_of(t, kept), negated(exponents_), Exponents(at(t.shape()[1])));
  for (std::size_t i = 0; i < kept.size(); ++i) exponents_[i] += e[at(kept[i])];
  u_ = columns_of(factors.q, kept);
}

// Multiplies U by its row scales, in steps that lose few digits.
void ProductSpectrum::settle_rows() {
  Exponents rest = std::move(row_exponents_);
  if (rest.empty()) return;
  const std::int64_t largest = *std::max_element(rest.begin(), rest.end());
  for (std::int64_t& e : rest) e -= largest;
  for (std::int64_t& e : exponents_) e += largest;
  while (u_.defined() && range_of(rest) > 0) {
    Exponents step;
    for (std::int64_t& e : rest) {
      step.push_back(std::max(e, -mild));
      e -= step.back();
    }
    multiply(scaled(u_, step, Exponents(at(u_.shape()[1]))), 1);
  }
}

ProductSpectrum ProductSpectrum::settled() const {
  RZ_CHECK(value, factors_ > 0, "product: a result needs at least one factor");
  ProductSpectrum copy = *this;
  copy.settle_rows();
  return copy;
}

void ProductSpectrum::push(const Tensor& factor) {
  const Shape& shape = factor.shape();
  RZ_CHECK(shape, factor.defined() && shape.rank() == 2 && shape.elements() > 0,
           "product: factor {} {} must be a matrix with at least one element", factors_, shape);
  RZ_CHECK(shape, factors_ == 0 || shape[1] == rows_,
           "product: factor {} {} needs {} columns, the rows of the one before", factors_, shape, rows_);
  RZ_CHECK(dtype, factor.dtype() == DType::f64, "product: factor {} is {}, but must be f64", factors_, factor.dtype());
  check_finite(factor, "product", fmt::format("factor {}", factors_));
  if (factors_++ == 0) start(factor);
  rows_ = shape[0];
  if (!u_.defined()) return;
  const Tensor f = active_part(factor);
  if (f.defined() && u_.defined()) multiply_scaled(f);
  if (f.defined() && u_.defined()) return;
  u_ = t_ = {};
  exponents_.clear();
  row_exponents_.clear();
  lost_.clear();
}

// f = diag(2^rows) g diag(2^columns), g with entries of at most 2. Scales of rows wait for those of the next factor's
// columns; only if what remains of both varies wildly it is multiplied by itself, where it costs no digits.
void ProductSpectrum::multiply_scaled(const Tensor& f) {
  const Exponents columns = exponents_of(sizes_of(f).columns);
  Exponents both = row_exponents_, inside = row_exponents_;
  for (std::size_t j = 0; j < columns.size(); ++j) both[j] += columns[j];
  if (range_of(both) > mild) {
    row_exponents_ = both;
    settle_rows();
    if (!u_.defined()) return;
    inside = negated(columns);
  } else {
    const std::int64_t largest = *std::max_element(both.begin(), both.end());
    for (std::int64_t& e : inside) e -= largest;
    for (std::int64_t& e : exponents_) e += largest;
  }
  const Tensor half = scaled(f, Exponents(at(f.shape()[0])), inside);
  row_exponents_ = exponents_of(sizes_of(half).rows);
  if (range_of(row_exponents_) <= mild)
    row_exponents_.assign(row_exponents_.size(), *std::max_element(row_exponents_.begin(), row_exponents_.end()));
  const Tensor g = scaled(half, negated(row_exponents_), Exponents(at(f.shape()[1])));
  multiply(ops::gemm(Transpose::no, g, Transpose::no, u_), 2 * std::sqrt(static_cast<double>(f.shape()[1])));
}

SampleSpectrum ProductSpectrum::finish() const {
  const ProductSpectrum done = settled();
  const std::int64_t all = std::min(rows_, cols_), k = std::ssize(done.exponents_);
  SampleSpectrum sample;
  if (k > 0) {
    for (const Scaled& sigma : jacobi_singular_values(done.t_, done.exponents_)) {
      sample.log10_singular_values.push_back(sigma.log10());
      sample.singular_values.push_back(sigma.value());
    }
  }
  sample.resolved = std::count(done.lost_.begin(), done.lost_.end(), char{0});
  if (sample.resolved < k) sample.floor = sample.singular_values[at(sample.resolved)];
  sample.exact_zeros = all - k;
  sample.log10_singular_values.resize(at(all), -std::numeric_limits<double>::infinity());
  sample.singular_values.resize(at(all), 0.0);
  return sample;
}

// ln of the product of the singular values: D times the volume that the rows of T span.
double ProductSpectrum::log_volume() const {
  if (std::count(lost_.begin(), lost_.end(), char{1}) > 0) return std::numeric_limits<double>::quiet_NaN();
  if (exponents_.empty()) return 0;
  const std::int64_t k = t_.shape()[0], n = t_.shape()[1];
  const int axes[] = {1, 0};
  const Tensor transposed = ops::permute(t_, axes);
  const Qr factors = qr(transposed);
  double sum = 0;
  for (std::int64_t i = 0; i < std::min(k, n); ++i) sum += std::log(std::fabs(factors.r.data<double>()[i * k + i]));
  const std::int64_t exponent = std::accumulate(exponents_.begin(), exponents_.end(), std::int64_t{0});
  return sum + std::numbers::ln2 * static_cast<double>(exponent);
}

double ProductSpectrum::mean_log_sigma() const {
  const ProductSpectrum done = settled();
  return done.log_volume() / static_cast<double>(done.exponents_.size());
}

double ProductSpectrum::log_abs_det() const {
  const ProductSpectrum done = settled();
  RZ_CHECK(shape, rows_ == cols_, "product: {} x {} has no determinant, it must be square", rows_, cols_);
  return std::ssize(done.exponents_) < rows_ ? -std::numeric_limits<double>::infinity() : done.log_volume();
}

}  // namespace rz::isometry
