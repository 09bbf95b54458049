// Products of lower precision, on machines that have them; tests/core/tiles_test.cpp has their kernels for AMX.
#include "core/precision.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "core/backend.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "support/close.h"
#include "support/inputs.h"

namespace rz::test {
namespace {

bool has(ProductPrecision precision) { return backend(Device::cpu()).missing_for(precision).empty(); }

constexpr ProductPrecision all_precisions[] = {ProductPrecision::plain, ProductPrecision::f32, ProductPrecision::high,
                                               ProductPrecision::bf16};

// To 8 bits, to nearest, of two equally near ones to the even one.
double rounded(double value) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}
Tensor rounded(const Tensor& x) {
  std::vector<double> values = x.to_vector();
  for (double& value : values) value = rounded(value);
  return Tensor::of(x.shape(), values, DType::f64);
}
Tensor absolute(const Tensor& x) {
  std::vector<double> values = x.to_vector();
  for (double& value : values) value = std::fabs(value);
  return Tensor::of(x.shape(), values, DType::f64);
}

// |c - exact| in units of eps |a| |b|, the largest.
double worst(const Tensor& c, const Tensor& exact, const Tensor& sizes) {
  const std::vector<double> values = c.to_vector(), wanted = exact.to_vector(), size = sizes.to_vector();
  double most = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    most = std::max(most, std::fabs(values[i] - wanted[i]) / (size[i] * std::numeric_limits<float>::epsilon()));
  return most;
}

Shape oriented(Transpose op, std::int64_t rows, std::int64_t columns) {
  return op == Transpose::no ? Shape{rows, columns} : Shape{columns, rows};
}

}  // namespace

TEST_SUITE("core/precision") {
  TEST_CASE("precision: a scope is one thread's, and ends") {
    CHECK(product_precision() == ProductPrecision::plain);
    {
      const ProductPrecisionScope f32(ProductPrecision::f32);
      CHECK(product_precision() == ProductPrecision::f32);
      const ProductPrecisionScope plain(ProductPrecision::plain);
      CHECK(product_precision() == ProductPrecision::plain);
    }
    CHECK(product_precision() == ProductPrecision::plain);
  }

  TEST_CASE("precision: what cannot be had says why, and what can") {
    for (const ProductPrecision precision : {ProductPrecision::high, ProductPrecision::bf16}) {
      if (has(precision)) continue;
      const std::string text = message_of(ErrorCode::value, [&] { const ProductPrecisionScope scope(precision); });
      CHECK(mentions(text, {"products in ", std::string(name(precision)), "cannot be had", "f32", "work"}));
      CHECK(product_precision() == ProductPrecision::plain);
    }
    CHECK(has(ProductPrecision::f32));
  }

  TEST_CASE("precision: bf16 multiplies rounded operands and adds in f32") {
    if (!has(ProductPrecision::bf16)) return;
    const ProductPrecisionScope scope(ProductPrecision::bf16);
    const std::int64_t sizes[][3] = {{16, 8, 1},   {17, 33, 3},   {32, 32, 32},   {33, 65, 31},   {47, 10, 300},
                                     {64, 64, 64}, {95, 130, 65}, {128, 31, 257}, {130, 100, 600}};
    for (const auto& [m, n, k] : sizes) {
      for (const Transpose op_a : {Transpose::no, Transpose::yes}) {
        for (const Transpose op_b : {Transpose::no, Transpose::yes}) {
          INFO(m, " ", n, " ", k, " ", static_cast<int>(op_a), static_cast<int>(op_b));
          const Tensor a = normal_input(oriented(op_a, m, k), "a", DType::f32),
                       b = normal_input(oriented(op_b, k, n), "b", DType::f32);
          const Tensor a8 = rounded(a), b8 = rounded(b);
          const Tensor exact = ops::gemm(op_a, a8, op_b, b8), size = ops::gemm(op_a, absolute(a8), op_b, absolute(b8));
          const Tensor c = ops::gemm(op_a, a, op_b, b);
          const double bound = 1 + std::sqrt(static_cast<double>(k));
          CHECK(worst(c, exact, size) <= bound);
          const Tensor sum = normal_input({m, n}, "c", DType::f32);
          const Tensor wanted = ops::add(sum.to(DType::f64), ops::scale(-0.5, exact));
          const Tensor with_sum = ops::add(absolute(sum), size);
          ops::gemm(op_a, a, op_b, b, {sum, true}, -0.5);
          CHECK(worst(sum, wanted, with_sum) <= bound);
        }
      }
    }
  }

  TEST_CASE("precision: f64, few rows and few columns are as without") {
    if (!has(ProductPrecision::bf16)) return;
    const auto results = [] {
      std::vector<Tensor> all;
      for (const auto& [m, n, dtype] : {std::tuple{64, 64, DType::f64}, {15, 64, DType::f32}, {64, 7, DType::f32}})
        all.push_back(ops::gemm(Transpose::no, normal_input({m, 50}, "a", dtype), Transpose::no,
                                normal_input({50, n}, "b", dtype)));
      return all;
    };
    const std::vector<Tensor> plain = results();
    const ProductPrecisionScope scope(ProductPrecision::bf16);
    const std::vector<Tensor> bf16 = results();
    for (std::size_t i = 0; i < plain.size(); ++i) CHECK(identical(bf16[i], plain[i]));
  }

  TEST_CASE("precision: what is not finite shows") {
    if (!has(ProductPrecision::bf16)) return;
    const ProductPrecisionScope scope(ProductPrecision::bf16);
    constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    std::vector<double> values(32 * 40, 1);
    values[3] = inf;
    values[40 + 39] = -inf;
    values[80 + 7] = nan;
    values[120] = 3.4e38;  // becomes infinite when it is rounded
    const Tensor a = Tensor::of({32, 40}, values, DType::f32), b = Tensor::full({40, 32}, 1, DType::f32);
    const std::vector<double> c = ops::gemm(Transpose::no, a, Transpose::no, b).to_vector();
    CHECK(c[0] == inf);
    CHECK(c[32] == -inf);
    CHECK(std::isnan(c[64]));
    CHECK(c[96] == inf);
    CHECK(c[128] == 40);
  }

  TEST_CASE("precision: denormal operands count as 0") {
    if (!has(ProductPrecision::bf16)) return;
    const ProductPrecisionScope scope(ProductPrecision::bf16);
    const Tensor a = Tensor::full({32, 32}, 1e-39, DType::f32), b = Tensor::full({32, 32}, 1e20, DType::f32);
    CHECK(close(ops::gemm(Transpose::no, a, Transpose::no, b), Tensor::zeros({32, 32}), 0));
  }

  TEST_CASE("precision: the bits do not depend on the number of threads [threads]") {
    const Tensor x = normal_input({130, 257}, "x", DType::f32), weight = normal_input({301, 257}, "weight", DType::f32),
                 bias = normal_input({301}, "bias", DType::f32);
    for (const ProductPrecision precision : all_precisions) {
      if (!has(precision)) continue;
      const ProductPrecisionScope scope(precision);
      const auto results = [&] {
        return std::vector{ops::linear(x, weight, bias, ScalarFunction::tanh),
                           ops::gemm(Transpose::yes, x, Transpose::no, x)};
      };
      const int before = threads();
      set_threads(1);
      const std::vector<Tensor> one = results();
      set_threads(3);
      const std::vector<Tensor> three = results();
      set_threads(before);
      for (std::size_t i = 0; i < one.size(); ++i) CHECK(identical(one[i], three[i]));
    }
  }
}

}  // namespace rz::test
