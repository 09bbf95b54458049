#include "tools/isometry/product.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>
#include <numeric>

#include "core/linalg.h"
#include "core/ops.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/lcg.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// A factor of tests/reference/product_svd.json; make_product_svd.py describes the kinds.
Tensor next_factor(const nlohmann::json& c, Lcg& lcg) {
  const std::int64_t n = c["N"];
  const std::string kind = c["kind"];
  Tensor w = matrix(n, n, lcg.draw(n * n, c["scale"]));
  double* const x = w.data<double>();
  if (kind == "residual") {
    for (std::int64_t i = 0; i < n * n; ++i) x[i] = 0.1 * x[i] + (i % (n + 1) == 0 ? 1.0 : 0.0);
  } else if (kind == "masked") {
    for (std::int64_t i = 0; i < n; ++i) {
      if ((lcg.next() >> 11) % 2 == 0) std::fill_n(x + i * n, n, 0.0);
    }
  } else if (kind == "graded") {
    const int grade = c["grade"];
    for (std::int64_t i = 0; i < n; ++i) {
      const int r = -static_cast<int>(lcg.next() >> 59) * grade;
      for (std::int64_t j = 0; j < n; ++j) x[i * n + j] = std::ldexp(x[i * n + j], r);
    }
    for (std::int64_t j = 0; j < n; ++j) {
      const int s = -static_cast<int>(lcg.next() >> 59) * grade;
      for (std::int64_t i = 0; i < n; ++i) x[i * n + j] = std::ldexp(x[i * n + j], s);
    }
  }
  return w;
}

ProductSpectrum product_of(const std::vector<Tensor>& factors) {
  ProductSpectrum product;
  for (const Tensor& factor : factors) product.push(factor);
  return product;
}

Tensor orthogonal(std::int64_t n, std::string_view stream) { return qr(normal_input({n, n}, stream)).q; }

TEST_CASE("product: log10 of every singular value to 1e-11 of multiprecision, over 440 decades") {
  int cases = 0;
  for (const nlohmann::json& c : reference("product_svd.json")["cases"]) {
    const std::string kind = c["kind"];
    const std::int64_t n = c["N"], layers = c["L"];
    CAPTURE(kind);
    CAPTURE(n);
    CAPTURE(layers);
    ++cases;
    Lcg lcg(c["seed"]);
    ProductSpectrum product;
    for (std::int64_t l = 0; l < layers; ++l) product.push(next_factor(c, lcg));
    const SampleSpectrum s = product.finish();
    const std::vector<double> exact = numbers(c["log10_sigma"]);
    const std::size_t k = exact.size();
    REQUIRE(s.log10_singular_values.size() == static_cast<std::size_t>(n));
    CHECK(s.resolved == std::ssize(exact));
    CHECK(s.exact_zeros == n - std::ssize(exact));
    CHECK(s.floor == 0);
    double worst = 0, mean = 0;
    for (std::size_t i = 0; i < k; ++i) {
      worst = std::max(worst, std::fabs(s.log10_singular_values[i] - exact[i]));
      mean += std::numbers::ln10 * exact[i] / static_cast<double>(k);
      if (exact[i] > -300) CHECK(close(s.singular_values[i] / std::pow(10, exact[i]), 1, 1e-10));
    }
    CHECK(worst < 1e-11);
    for (std::size_t i = k; i < static_cast<std::size_t>(n); ++i) {
      CHECK(s.log10_singular_values[i] == -infinity);
      CHECK(s.singular_values[i] == 0);
    }
    CHECK(close(product.mean_log_sigma(), mean, 1e-12));
    if (std::ssize(exact) == n)
      CHECK(close(product.log_abs_det(), mean * static_cast<double>(n), 1e-12));
    else
      CHECK(product.log_abs_det() == -infinity);
  }
  CHECK(cases == 11);
}

TEST_CASE("product: identities have singular values of exactly 1, and powers of two are exact") {
  for (const std::int64_t n : {1, 3, 40}) {
    const ProductSpectrum product = product_of(std::vector<Tensor>(100, Tensor::identity(n)));
    const SampleSpectrum s = product.finish();
    CHECK(s.singular_values == std::vector<double>(static_cast<std::size_t>(n), 1.0));
    CHECK(s.log10_singular_values == std::vector<double>(static_cast<std::size_t>(n), 0.0));
    CHECK(s.resolved == n);
    CHECK(product.mean_log_sigma() == 0);
    CHECK(product.log_abs_det() == 0);
  }
  const SampleSpectrum s = product_of(std::vector<Tensor>(4, matrix(2, 2, {0, 2, 0.125, 0}))).finish();
  CHECK(s.singular_values == std::vector<double>{0.0625, 0.0625});
}

TEST_CASE("product: orthogonal factors times scalars keep all values equal") {
  std::vector<Tensor> factors;
  for (int l = 0; l < 50; ++l) {
    factors.push_back(orthogonal(30, "orthogonal" + std::to_string(l)));
    for (std::int64_t i = 0; i < 900; ++i) factors.back().data<double>()[i] *= 3;
  }
  const ProductSpectrum product = product_of(factors);
  CHECK(close(product.finish().log10_singular_values, std::vector<double>(30, 50 * std::log10(3.0)), 1e-14));
  CHECK(close(product.mean_log_sigma(), 50 * std::log(3.0), 1e-14));
}

TEST_CASE("product: rectangular factors agree with the singular values of the product") {
  const Tensor a = normal_input({7, 11}, "a"), b = normal_input({9, 7}, "b"), c = normal_input({4, 9}, "c");
  const SampleSpectrum s = product_of({a, b, c}).finish();
  const Tensor explicit_product =
      ops::gemm(Transpose::no, c, Transpose::no, ops::gemm(Transpose::no, b, Transpose::no, a));
  CHECK(close(s.singular_values, svdvals(explicit_product), 1e-13));
  CHECK(s.resolved == 4);
  // Through a bottleneck of 2: the rank is 2, and min(rows, cols) is 7.
  const SampleSpectrum narrow = product_of({normal_input({2, 7}, "d"), normal_input({8, 2}, "e")}).finish();
  CHECK(narrow.resolved == 2);
  CHECK(narrow.exact_zeros == 5);
  CHECK(narrow.log10_singular_values.size() == 7);
}

TEST_CASE("product: zeros of the structure are counted wherever they come from") {
  const Tensor w = normal_input({6, 6}, "w");
  const Tensor left = matrix(6, 6, std::vector<double>(36));  // a projector onto units 0, 1, 2
  for (std::int64_t i = 0; i < 3; ++i) left.data<double>()[i * 7] = 1;
  Tensor cut = w.clone();  // columns 0 to 2 meet units that are 0 after `rest`
  for (std::int64_t i = 0; i < 6; ++i) std::fill_n(cut.data<double>() + i * 6, 3, 0.0);
  CHECK(product_of({w, left}).finish().exact_zeros == 3);
  CHECK(product_of({left, w}).finish().exact_zeros == 3);
  CHECK(product_of({cut, w}).finish().exact_zeros == 3);
  CHECK(product_of({w, cut, w}).finish().exact_zeros == 3);
  const ProductSpectrum nothing = product_of({w, left, cut, w});
  CHECK(nothing.finish().exact_zeros == 6);
  CHECK(nothing.finish().resolved == 0);
  CHECK(nothing.finish().singular_values == std::vector<double>(6, 0.0));
  CHECK(nothing.log_abs_det() == -infinity);
  CHECK(std::isnan(nothing.mean_log_sigma()));
  const SampleSpectrum zero = product_of({w, Tensor::zeros({3, 6}, DType::f64), normal_input({5, 3}, "v")}).finish();
  CHECK(zero.exact_zeros == 5);
  CHECK(zero.resolved == 0);
}

TEST_CASE("product: a factor that is singular by its numbers leaves values that are not resolved") {
  for (const int layers : {1, 5, 60}) {
    CAPTURE(layers);
    std::vector<Tensor> factors;
    for (int l = 0; l < layers; ++l) factors.push_back(normal_input({10, 10}, "regular" + std::to_string(l)));
    const SampleSpectrum before = product_of(factors).finish();
    const std::size_t middle = factors.size() / 2;
    double* const x = factors[middle].data<double>();
    std::copy_n(x + 20, 10, x + 70);  // row 7 = row 2
    const ProductSpectrum product = product_of(factors);
    const SampleSpectrum s = product.finish();
    CHECK(before.resolved == 10);
    CHECK(s.resolved == 9);
    CHECK(s.exact_zeros <= 1);
    CHECK(s.floor < 1e-12 * s.singular_values[8]);
    CHECK(s.log10_singular_values[9] < s.log10_singular_values[8] - 12);
    // The nine others are those of the product with a factor of ten columns fewer: W = E W', W' without row 7.
    std::vector<Tensor> compact(factors.begin(), factors.end());
    Tensor nine({9, 10}, DType::f64), ten = Tensor::zeros({10, 9}, DType::f64);
    for (std::int64_t i = 0, r = 0; i < 10; ++i) {
      ten.data<double>()[i * 9 + (i == 7 ? 2 : r)] = 1;
      if (i != 7) std::copy_n(x + i * 10, 10, nine.data<double>() + 10 * r++);
    }
    compact[middle] = nine;
    compact.insert(compact.begin() + static_cast<std::ptrdiff_t>(middle) + 1, ten);
    const SampleSpectrum exact = product_of(compact).finish();
    CHECK(exact.exact_zeros == 1);
    for (std::size_t i = 0; i < 9; ++i) CHECK(close(s.log10_singular_values[i], exact.log10_singular_values[i], 1e-11));
    if (s.exact_zeros == 0) CHECK(std::isnan(product.mean_log_sigma()));
  }
  const Tensor q = orthogonal(8, "projector"), half = q.rows(0, 4);
  const Tensor p = ops::gemm(Transpose::yes, half, Transpose::no, half);  // rank 4
  Tensor rest = Tensor::identity(8);
  for (std::int64_t i = 0; i < 64; ++i) rest.data<double>()[i] -= p.data<double>()[i];
  CHECK(product_of({p}).finish().resolved == 4);
  CHECK(product_of({p, p, p}).finish().resolved == 4);
  CHECK(product_of({p, rest}).finish().resolved == 0);
}

TEST_CASE("product: scales beyond the range of a double in one factor, and in the product") {
  const Tensor wide = matrix(3, 3, {1e300, 0, 0, 0, 1, 0, 0, 0, 1e-300});
  const ProductSpectrum product = product_of({wide, orthogonal(3, "turn"), wide});
  const SampleSpectrum s = product.finish();
  CHECK(s.resolved == 3);
  CHECK(s.log10_singular_values[0] > 590);
  CHECK(s.log10_singular_values[2] < -590);
  CHECK(std::isinf(s.singular_values[0]));
  CHECK(s.singular_values[2] == 0);
  const double sum = s.log10_singular_values[0] + s.log10_singular_values[1] + s.log10_singular_values[2];
  CHECK(std::fabs(sum) < 1e-11);  // |det| = 1
  CHECK(std::fabs(product.log_abs_det()) < 1e-10);
  const SampleSpectrum powers = product_of(std::vector<Tensor>(100, wide)).finish();
  CHECK(close(powers.log10_singular_values, {30e3, 0, -30e3}, 1e-13));
}

TEST_CASE("product: wrong factors are refused by number") {
  ProductSpectrum product;
  CHECK(mentions(message_of(ErrorCode::value, [&] { product.finish(); }), {"product", "at least one factor"}));
  product.push(normal_input({3, 4}, "first"));
  CHECK(mentions(message_of(ErrorCode::shape, [&] { product.push(Tensor::identity(4)); }), {"factor 1 [4, 4]", "3"}));
  CHECK(mentions(message_of(ErrorCode::dtype, [&] { product.push(Tensor::identity(3, DType::f32)); }), {"f32", "f64"}));
  CHECK(mentions(message_of(ErrorCode::shape, [&] { product.push(Tensor::zeros({0, 3}, DType::f64)); }), {"[0, 3]"}));
  Tensor bad = Tensor::identity(3);
  bad.data<double>()[5] = infinity;
  CHECK(mentions(message_of(ErrorCode::value, [&] { product.push(bad); }),
                 {"product", "factor 1", "inf", "row 1", "column 2"}));
  CHECK(mentions(message_of(ErrorCode::shape, [&] { (void)product.log_abs_det(); }), {"3 x 4", "square"}));
  product.push(Tensor::identity(3));  // what was refused left no trace
  CHECK(product.finish().resolved == 3);
}

}  // namespace
