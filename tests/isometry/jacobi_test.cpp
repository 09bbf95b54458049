#include "tools/isometry/jacobi.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/linalg.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

std::vector<double> values_of(const std::vector<Scaled>& scaled) {
  std::vector<double> values;
  for (const Scaled& s : scaled) values.push_back(s.value());
  return values;
}

TEST_CASE("jacobi: singular values agree with LAPACK's") {
  for (const auto& [k, n] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {1, 9}, {17, 17}, {20, 33}, {90, 90}}) {
    const Tensor a = normal_input({k, n}, "jacobi");
    CHECK(close(values_of(jacobi_singular_values(a, std::vector<std::int64_t>(static_cast<std::size_t>(k)))),
                svdvals(a), 1e-13));
  }
}

TEST_CASE("jacobi: two rows of any scale by the closed form") {
  // D A, A = [[1, 0], [1, 1]], D = diag(1, 2^-e): sigma_1 sigma_2 = 2^-e, sigma_1^2 + sigma_2^2 = 1 + 2 4^-e.
  for (const std::int64_t e : {0, 3, 60, 600, 5000, 100000}) {
    const std::vector<std::int64_t> exponents{0, -e};
    const std::vector<Scaled> s =
        jacobi_singular_values(Tensor::of({2, 2}, std::vector<double>{1, 0, 1, 1}), exponents);
    const double tiny = std::pow(4.0, -static_cast<double>(e)), sum = 1 + 2 * tiny;
    const double largest = std::sqrt((sum + std::sqrt(sum * sum - 4 * tiny)) / 2);
    CHECK(close(s[0].value(), largest, 1e-15));
    CHECK(close(s[1].log10() + static_cast<double>(e) * std::log10(2.0), -std::log10(largest),
                1e-15 * (10.0 + static_cast<double>(e))));
  }
}

TEST_CASE("jacobi: small values keep their digits wherever they stand") {
  const std::vector<std::int64_t> exponents{-900, 0, -40, 700, -40, 20};
  const Tensor a = qr(normal_input({6, 6}, "rows")).q;  // orthonormal rows: D alone remains
  const std::vector<Scaled> s = jacobi_singular_values(a, exponents);
  const double expected[] = {700, 20, 0, -40, -40, -900};
  for (std::size_t i = 0; i < 6; ++i) CHECK(close(s[i].log10(), expected[i] * std::log10(2.0), 1e-14));
}

TEST_CASE("jacobi: numbers beyond a double's range") {
  CHECK(Scaled::of(0, 5).log10() == -std::numeric_limits<double>::infinity());
  CHECK(Scaled::of(0, 5).value() == 0);
  CHECK(Scaled::of(1, 0).log10() == 0);
  CHECK(Scaled::of(0.5, 1).log10() == 0);
  CHECK(Scaled::of(0.75, 4).value() == 12);
  CHECK(Scaled::of(1, 5000).value() == std::numeric_limits<double>::infinity());
  CHECK(Scaled::of(1, -5000).value() == 0);
  CHECK(close(Scaled::of(1, -100000).log10(), -100000 * std::log10(2.0), 1e-15));
}

TEST_CASE("jacobi: wrong matrices are refused") {
  const std::vector<std::int64_t> two{0, 0}, three{0, 0, 0};
  CHECK(
      mentions(message_of(ErrorCode::shape, [&] { jacobi_singular_values(Tensor::zeros({3, 2}, DType::f64), three); }),
               {"[3, 2]", "rows"}));
  CHECK(mentions(message_of(ErrorCode::shape, [&] { jacobi_singular_values(Tensor::identity(3), two); }), {"[3, 3]"}));
  CHECK(mentions(message_of(ErrorCode::dtype, [&] { jacobi_singular_values(Tensor::identity(2, DType::f32), two); }),
                 {"f32"}));
}

}  // namespace
