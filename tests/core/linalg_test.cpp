#include "core/linalg.h"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/ops.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::test;

namespace {
bool gesdd_fails = false;  // as if it did not converge
}

// Stands before OpenBLAS's in the program.
extern "C" void dgesdd_(const char* job, const int* m, const int* n, double* a, const int* lda, double* s, double* u,
                        const int* ldu, double* vt, const int* ldvt, double* work, const int* lwork, int* iwork,
                        int* info, std::size_t length) {
  static const auto original = reinterpret_cast<decltype(&dgesdd_)>(dlsym(RTLD_NEXT, "dgesdd_"));
  REQUIRE_MESSAGE(bool(original), "OpenBLAS is linked statically: this test needs the shared library");
  original(job, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, iwork, info, length);
  if (gesdd_fails && *lwork != -1) {
    std::fill_n(s, std::min(*m, *n), -1.0);
    *info = 1;
  }
}

namespace {

const Shape shapes[] = {{1, 1}, {5, 3}, {3, 5}, {40, 40}, {131, 70}, {17, 120}, {1, 6}, {6, 1}};
double linalg_tolerance(DType dtype) { return dtype == DType::f32 ? 2e-5 : 1e-13; }

Tensor product(const Tensor& a, const Tensor& b) { return ops::gemm(Transpose::no, a, Transpose::no, b); }
Tensor gram(const Tensor& a) { return ops::gemm(Transpose::yes, a, Transpose::no, a); }
Tensor identity_like(const Tensor& a) { return Tensor::identity(a.shape()[1], a.dtype()); }

Tensor diagonal(const std::vector<double>& values, DType dtype) {
  const std::int64_t n = static_cast<std::int64_t>(values.size());
  std::vector<double> elements(values.size() * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) elements[i * values.size() + i] = values[i];
  return Tensor::of({n, n}, elements, dtype);
}

void check_svd(const Tensor& a) {
  const Svd result = svd(a);
  const double eps = linalg_tolerance(a.dtype()) * std::max(1.0, result.sigma.empty() ? 0.0 : result.sigma[0]);
  CHECK(close(product(result.u, product(diagonal(result.sigma, a.dtype()), result.vt)), a, eps));
  CHECK(close(gram(result.u), identity_like(result.u), linalg_tolerance(a.dtype())));
  const int swap[] = {1, 0};
  CHECK(close(gram(ops::permute(result.vt, swap)), identity_like(result.u), linalg_tolerance(a.dtype())));
  CHECK(std::is_sorted(result.sigma.rbegin(), result.sigma.rend()));
  CHECK((result.sigma.empty() || result.sigma.back() >= 0));
  CHECK(close(svdvals(a), result.sigma, eps));
}

}  // namespace

TEST_SUITE("core/linalg") {
  TEST_CASE("linalg: svd reconstructs its matrix from orthonormal factors") {
    for (const Shape& shape : shapes) {
      for (DType dtype : real_types) {
        INFO(text(shape));
        check_svd(normal_input(shape, "svd", dtype));
      }
    }
    CHECK(close(svdvals(Tensor::of({1, 1}, std::vector{-3.0})), {3}, 0));
  }

  TEST_CASE("linalg: svd of equal singular values, and of zeros") {
    const Tensor q = qr(normal_input({200, 200}, "orthogonal")).q;
    check_svd(q);
    CHECK(close(svdvals(q), std::vector<double>(200, 1.0), 1e-13));
    check_svd(Tensor::identity(50));
    check_svd(Tensor::zeros({20, 30}, DType::f64));
    const Tensor low_rank = product(normal_input({30, 4}, "left"), normal_input({4, 20}, "right"));
    check_svd(low_rank);
    const std::vector<double> sigma = svdvals(low_rank);
    CHECK(close(std::vector<double>(sigma.begin() + 4, sigma.end()), std::vector<double>(16), 1e-13));
  }

  TEST_CASE("linalg: matrices without rows or columns have empty factors") {
    for (const Shape& shape : {Shape{0, 4}, Shape{4, 0}, Shape{0, 0}}) {
      const Tensor a(shape, DType::f64);
      CHECK(svdvals(a).empty());
      const Svd factors = svd(a);
      CHECK(factors.u.shape() == Shape{shape[0], 0});
      CHECK(factors.vt.shape() == Shape{0, shape[1]});
      const Qr qr_factors = qr_pivoted(a);
      CHECK(qr_factors.q.shape() == Shape{shape[0], 0});
      CHECK(qr_factors.r.shape() == Shape{0, shape[1]});
      CHECK(static_cast<std::int64_t>(qr_factors.pivots.size()) == shape[1]);
    }
    CHECK(eigh(Tensor({0, 0}, DType::f64)).values.empty());
  }

  TEST_CASE("linalg: singular values of the reference Jacobians") {
    int cases = 0;
    for (const nlohmann::json& row : reference("testvectors.json").at("cases")) {
      INFO(row.at("name").get<std::string>());
      const std::int64_t m = static_cast<std::int64_t>(row.at("J").size());
      const std::vector<double> elements = numbers(row.at("J"));
      const Tensor J = Tensor::of({m, static_cast<std::int64_t>(elements.size()) / m}, elements);
      std::vector<double> expected = numbers(row.at("sv")), sigma = svdvals(J);
      const double largest = expected.at(0);
      for (double& value : expected) value /= largest;
      for (double& value : sigma) value /= largest;
      CHECK(close(sigma, expected, 1e-12));
      ++cases;
    }
    CHECK(cases == 20);
  }

  TEST_CASE("linalg: svd falls back to gesvd where gesdd does not converge") {
    gesdd_fails = true;
    for (const Shape& shape : shapes) {
      INFO(text(shape));
      check_svd(normal_input(shape, "fallback"));
    }
    gesdd_fails = false;
  }

  TEST_CASE("linalg: qr reconstructs its matrix") {
    for (const Shape& shape : shapes) {
      for (DType dtype : real_types) {
        INFO(text(shape));
        const Tensor a = normal_input(shape, "qr", dtype);
        const Qr factors = qr(a);
        CHECK(factors.pivots.empty());
        CHECK(close(product(factors.q, factors.r), a, 20 * linalg_tolerance(dtype)));
        CHECK(close(gram(factors.q), identity_like(factors.q), linalg_tolerance(dtype)));
        const std::vector<double> r = factors.r.to_vector();
        const std::size_t rows = static_cast<std::size_t>(factors.r.shape()[0]),
                          columns = static_cast<std::size_t>(shape[1]);
        for (std::size_t i = 0; i < rows; ++i)
          REQUIRE(std::all_of(r.begin() + static_cast<std::ptrdiff_t>(i * columns),
                              r.begin() + static_cast<std::ptrdiff_t>(i * columns + i),
                              [](double x) { return x == 0; }));
      }
    }
  }

  TEST_CASE("linalg: pivoted qr orders the diagonal") {
    for (const Shape& shape : shapes) {
      for (DType dtype : real_types) {
        INFO(text(shape));
        const Tensor a = normal_input(shape, "pivoted", dtype);
        const Qr factors = qr_pivoted(a);
        const int swap[] = {1, 0};
        const Tensor order = Tensor::of_integers({shape[1]}, factors.pivots);
        const Tensor moved = ops::permute(ops::gather_rows(ops::permute(a, swap), order), swap);
        CHECK(close(product(factors.q, factors.r), moved, 20 * linalg_tolerance(dtype)));
        CHECK(close(gram(factors.q), identity_like(factors.q), linalg_tolerance(dtype)));
        std::vector<std::int64_t> pivots = factors.pivots;
        std::sort(pivots.begin(), pivots.end());
        for (std::size_t j = 0; j < pivots.size(); ++j) REQUIRE(pivots[j] == static_cast<std::int64_t>(j));
        const std::vector<double> r = factors.r.to_vector();
        const std::size_t columns = static_cast<std::size_t>(shape[1]);
        for (std::size_t i = 1; i * columns + i < r.size(); ++i)
          REQUIRE(std::abs(r[i * columns + i]) <= std::abs(r[(i - 1) * columns + i - 1]) * (1 + 1e-5));
      }
    }
  }

  TEST_CASE("linalg: eigh of the second difference matrix, from its lower triangle alone") {
    const std::int64_t n = 30;
    for (DType dtype : real_types) {
      std::vector<double> lower(static_cast<std::size_t>(n * n)), full = lower, expected;
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
          const std::size_t at = static_cast<std::size_t>(i * n + j);
          full[at] = i == j ? 2 : std::abs(i - j) == 1 ? -1 : 0;
          lower[at] = j <= i ? full[at] : 1e3;
        }
        expected.push_back(2 - 2 * std::cos(static_cast<double>(i + 1) * std::acos(-1.0) / static_cast<double>(n + 1)));
      }
      const Eigh result = eigh(Tensor::of({n, n}, lower, dtype));
      CHECK(close(result.values, expected, 20 * linalg_tolerance(dtype)));
      CHECK(close(gram(result.vectors), identity_like(result.vectors), linalg_tolerance(dtype)));
      const Tensor scaled = product(result.vectors, diagonal(result.values, dtype));
      CHECK(close(product(Tensor::of({n, n}, full, dtype), result.vectors), scaled, 20 * linalg_tolerance(dtype)));
    }
  }

  TEST_CASE("linalg: an entry that is not finite is named, and so are wrong arguments") {
    std::vector<double> values = {1, 2, 3, 4, 5, std::numeric_limits<double>::quiet_NaN()};
    for (DType dtype : real_types) {
      const Tensor a = Tensor::of({2, 3}, values, dtype);
      CHECK(mentions(message_of(ErrorCode::value, [&] { svdvals(a, "Jacobian of layer 3"); }),
                     {"svdvals", "Jacobian of layer 3", "[2, 3]", "nan", "row 1", "column 2"}));
      CHECK(mentions(message_of(ErrorCode::value, [&] { svd(a); }), {"svd", "matrix", "row 1"}));
      CHECK(mentions(message_of(ErrorCode::value, [&] { qr(a); }), {"qr", "row 1"}));
      CHECK(mentions(message_of(ErrorCode::value, [&] { qr_pivoted(a); }), {"qr_pivoted", "row 1"}));
    }
    values[1] = -HUGE_VAL;
    CHECK(mentions(message_of(ErrorCode::value, [&] { svd(Tensor::of({2, 3}, values)); }),
                   {"-inf", "row 0", "column 1"}));
    CHECK(mentions(message_of(ErrorCode::shape, [] { svd(Tensor::zeros({2, 3, 4})); }),
                   {"svd", "[2, 3, 4]", "two axes"}));
    CHECK(mentions(message_of(ErrorCode::shape, [] { eigh(Tensor::zeros({2, 3})); }), {"eigh", "[2, 3]", "square"}));
    CHECK(
        mentions(message_of(ErrorCode::dtype, [] { qr(Tensor::zeros({2, 3}, DType::i32)); }), {"qr", "[2, 3]", "i32"}));
  }
}
