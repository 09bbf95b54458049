#include "core/linalg.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/lapack.h"
#include "core/step.h"

namespace rz {
namespace {

// A matrix on the host, checked, and its extents as LAPACK counts them; k = min(m, n).
struct Matrix {
  Tensor tensor;
  const char* operation;
  std::string_view what;
  int m = 0, n = 0, k = 0;
};

Matrix host_matrix(const Tensor& a, const char* operation, std::string_view what) {
  RZ_CHECK(shape, a.shape().rank() == 2, "{}: {} {} must have two axes", operation, what, a.shape());
  RZ_CHECK(dtype, is_real(a.dtype()), "{}: {} {} is {}, but must be f32 or f64", operation, what, a.shape(), a.dtype());
  forbid_in_step(operation);
  const std::int64_t m = a.shape()[0], n = a.shape()[1], k = std::min(m, n);
  // LAPACK counts in 32 bits, and the workspace of a divide-and-conquer routine is about 4 k^2 elements.
  RZ_CHECK(shape, std::max(m, n) <= std::numeric_limits<int>::max() && k <= 23000,
           "{}: {} {} is too large, LAPACK takes at most 23000 rows or columns", operation, what, a.shape());
  const Tensor host = a.to(Device::cpu());
  check_finite(host, operation, what);
  return {host, operation, what, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k)};
}

template <class F>
auto by_dtype(const Matrix& a, F&& f) {
  return a.tensor.dtype() == DType::f32 ? f(float{}) : f(double{});
}

std::size_t product(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }
std::size_t at(int row, int column, int stride) { return product(row, stride) + static_cast<std::size_t>(column); }

template <class T>
std::vector<T> copy_of(const Matrix& a) {
  const T* data = a.tensor.data<T>();
  return std::vector<T>(data, data + product(a.m, a.n));
}

// to [columns, rows] = the transpose of from [rows, columns], whose rows are `stride` apart; in tiles that stay in the
// cache.
template <class T>
void transpose(const T* from, int stride, int rows, int columns, T* to) {
  constexpr int tile = 16;
  for (int i0 = 0; i0 < rows; i0 += tile) {
    for (int j0 = 0; j0 < columns; j0 += tile) {
      for (int i = i0; i < std::min(i0 + tile, rows); ++i) {
        for (int j = j0; j < std::min(j0 + tile, columns); ++j) to[at(j, i, rows)] = from[at(i, j, stride)];
      }
    }
  }
}

// Calls routine(work, lwork) for the size of its workspace, then in earnest; returns info, which is never negative.
template <class T, class Routine>
int with_workspace(Routine&& routine) {
  T size = 0;
  int info = routine(&size, -1);
  if (info == 0) {
    // f32 holds sizes above 2^24 only roughly
    size = std::nextafter(size, std::numeric_limits<T>::max());
    std::vector<T> work(std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(size))));
    info = routine(work.data(), static_cast<int>(work.size()));
  }
  RZ_ASSERT(info >= 0);
  return info;
}

// Whether values can be the singular values of a: the Frobenius norms agree, |sigma|^2 = |a|^2.
template <class T>
bool plausible(const Matrix& a, const T* sigma) {
  const auto largest = static_cast<double>(sigma[0]);
  const T* const data = a.tensor.data<T>();
  const std::size_t elements = product(a.m, a.n);
  if (largest == 0) return std::all_of(data, data + elements, [](T x) { return x == 0; });
  const auto squares = [largest](const T* x, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
      sum += static_cast<double>(x[i]) / largest * (static_cast<double>(x[i]) / largest);
    return sum;
  };
  const double expected = squares(data, elements), found = squares(sigma, static_cast<std::size_t>(a.k));
  // An error of sqrt(m n) eps sigma_max in each value is a failure. NaN is one, too.
  return std::fabs(found - expected) <=
         100 * std::sqrt(static_cast<double>(elements)) * std::numeric_limits<T>::epsilon() * expected;
}

// Row-major a [m, n] is column-major a^T: the same singular values, and its U [n, k] and V^T [k, m] are in memory what
// vt [k, n] and u [m, k] of a are. Without u and vt the values alone.
template <class T>
void decompose(const Matrix& a, T* sigma, T* u, T* vt) {
  const char job = u ? 'S' : 'N';
  std::vector<T> work_matrix = copy_of<T>(a);
  std::vector<int> integers(product(8, a.k));
  int info = with_workspace<T>([&](T* work, int lwork) {
    return lapack::gesdd(job, a.n, a.m, work_matrix.data(), a.n, sigma, vt, a.n, u, a.k, work, lwork, integers.data());
  });
  if (info > 0 ||
      !plausible(a, sigma)) {  // seen with many equal singular values; QR iteration is slower and does not mind
    work_matrix = copy_of<T>(a);
    info = with_workspace<T>([&](T* work, int lwork) {
      return lapack::gesvd(job, job, a.n, a.m, work_matrix.data(), a.n, sigma, vt, a.n, u, a.k, work, lwork);
    });
  }
  RZ_CHECK(library, info == 0,
           "{}: LAPACK does not converge on {} {} ({} of its values remain); try f64, or another scale", a.operation,
           a.what, a.tensor.shape(), info);
  RZ_CHECK(library, plausible(a, sigma),
           "{}: LAPACK's singular values of {} {} have not the norm of the matrix; try f64, or another scale",
           a.operation, a.what, a.tensor.shape());
}

template <class T>
Svd svd_of(const Matrix& a, bool vectors) {
  Svd result;
  if (vectors) {
    result.u = Tensor({a.m, a.k}, a.tensor.dtype());
    result.vt = Tensor({a.k, a.n}, a.tensor.dtype());
  }
  if (a.k == 0) return result;
  std::vector<T> sigma(static_cast<std::size_t>(a.k));
  decompose(a, sigma.data(), vectors ? result.u.data<T>() : nullptr, vectors ? result.vt.data<T>() : nullptr);
  result.sigma.assign(sigma.begin(), sigma.end());
  return result;
}

// The only copies here that transposing roles does not save: gelqf of a^T would, but there is no pivoted form of it.
template <class T>
Qr qr_of(const Matrix& a, bool pivoted) {
  Qr result{Tensor({a.m, a.k}, a.tensor.dtype()), Tensor({a.k, a.n}, a.tensor.dtype()), {}};
  std::vector<int> pivots(pivoted ? static_cast<std::size_t>(a.n) : 0);  // 0: the column may move
  if (a.k > 0) {
    std::vector<T> columns(product(a.m, a.n)), tau(static_cast<std::size_t>(a.k));
    transpose(a.tensor.data<T>(), a.n, a.m, a.n, columns.data());
    with_workspace<T>([&](T* work, int lwork) {
      return pivoted ? lapack::geqp3(a.m, a.n, columns.data(), a.m, pivots.data(), tau.data(), work, lwork)
                     : lapack::geqrf(a.m, a.n, columns.data(), a.m, tau.data(), work, lwork);
    });
    T* r = result.r.data<T>();
    transpose(columns.data(), a.m, a.n, a.k, r);
    for (int i = 1; i < a.k; ++i) std::fill_n(r + at(i, 0, a.n), i, T(0));
    with_workspace<T>(
        [&](T* work, int lwork) { return lapack::orgqr(a.m, a.k, a.k, columns.data(), a.m, tau.data(), work, lwork); });
    transpose(columns.data(), a.m, a.k, a.m, result.q.data<T>());
  }
  for (std::size_t j = 0; j < pivots.size(); ++j)
    result.pivots.push_back(a.k > 0 ? pivots[j] - 1 : static_cast<int>(j));
  return result;
}

// A row-major lower triangle is a column-major upper one.
template <class T>
Eigh eigh_of(const Matrix& a) {
  Eigh result{{}, Tensor({a.n, a.n}, a.tensor.dtype())};
  if (a.n == 0) return result;
  std::vector<T> columns = copy_of<T>(a), values(static_cast<std::size_t>(a.n));
  std::vector<int> integers(3 + product(5, a.n));
  const int info = with_workspace<T>([&](T* work, int lwork) {
    return lapack::syevd('V', 'U', a.n, columns.data(), a.n, values.data(), work, lwork, integers.data(),
                         static_cast<int>(integers.size()));
  });
  RZ_CHECK(library, info == 0, "{}: LAPACK does not converge on {} {} (info {}); try f64, or another scale",
           a.operation, a.what, a.tensor.shape(), info);
  transpose(columns.data(), a.n, a.n, a.n, result.vectors.data<T>());
  result.values.assign(values.begin(), values.end());
  return result;
}

template <class T>
void check_finite_as(const Tensor& host, std::string_view operation, std::string_view what) {
  const T* data = host.data<T>();
  const std::int64_t elements = host.elements(), columns = host.shape().columns();
  for (std::int64_t i = 0; i < elements; ++i)
    RZ_CHECK(value, std::isfinite(data[i]), "{}: {} {} holds {} at row {}, column {}, but must be finite", operation,
             what, host.shape(), static_cast<double>(data[i]), i / columns, i % columns);
}

}  // namespace

void check_finite(const Tensor& a, std::string_view operation, std::string_view what) {
  if (!is_real(a.dtype()) || a.elements() == 0) return;
  const Tensor host = a.to(Device::cpu());
  if (a.dtype() == DType::f32)
    check_finite_as<float>(host, operation, what);
  else
    check_finite_as<double>(host, operation, what);
}

std::vector<double> svdvals(const Tensor& a, std::string_view what) {
  const Matrix matrix = host_matrix(a, "svdvals", what);
  return by_dtype(matrix, [&](auto t) { return svd_of<decltype(t)>(matrix, false).sigma; });
}

Svd svd(const Tensor& a, std::string_view what) {
  const Matrix matrix = host_matrix(a, "svd", what);
  return by_dtype(matrix, [&](auto t) { return svd_of<decltype(t)>(matrix, true); });
}

Qr qr(const Tensor& a, std::string_view what) {
  const Matrix matrix = host_matrix(a, "qr", what);
  return by_dtype(matrix, [&](auto t) { return qr_of<decltype(t)>(matrix, false); });
}

Qr qr_pivoted(const Tensor& a, std::string_view what) {
  const Matrix matrix = host_matrix(a, "qr_pivoted", what);
  return by_dtype(matrix, [&](auto t) { return qr_of<decltype(t)>(matrix, true); });
}

Eigh eigh(const Tensor& a, std::string_view what) {
  const Matrix matrix = host_matrix(a, "eigh", what);
  RZ_CHECK(shape, matrix.m == matrix.n, "eigh: {} {} must be square", what, a.shape());
  return by_dtype(matrix, [&](auto t) { return eigh_of<decltype(t)>(matrix); });
}

}  // namespace rz
