#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/ops.h"
#include "core/parallel.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

double product_tolerance(DType dtype, std::int64_t k) {
  return (dtype == DType::f32 ? 1e-6 : 3e-15) * (4 + std::sqrt(static_cast<double>(k)));
}

std::vector<double> naive_product(Transpose op_a, const Tensor& a, Transpose op_b, const Tensor& b) {
  const bool ta = op_a == Transpose::yes, tb = op_b == Transpose::yes;
  const std::int64_t m = a.shape()[ta ? -1 : -2], k = a.shape()[ta ? -2 : -1], n = b.shape()[tb ? -2 : -1];
  const std::int64_t batch_a = a.elements() / (m * k), batch_b = b.elements() / (k * n),
                     batch = std::max(batch_a, batch_b);
  const std::vector<double> va = a.to_vector(), vb = b.to_vector();
  std::vector<double> c;
  for (std::int64_t z = 0; z < batch; ++z) {
    const double* pa = va.data() + (batch_a > 1 ? z * m * k : 0);
    const double* pb = vb.data() + (batch_b > 1 ? z * k * n : 0);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::int64_t l = 0; l < k; ++l) sum += pa[ta ? l * m + i : i * k + l] * pb[tb ? j * k + l : l * n + j];
        c.push_back(sum);
      }
    }
  }
  return c;
}

Shape oriented(Transpose op, Shape shape) {
  if (op == Transpose::no) return shape;
  const std::int64_t rows = shape[-2];
  return shape.with(-2, shape[-1]).with(-1, rows);
}

}  // namespace

TEST_SUITE("core/ops_product") {
  TEST_CASE("ops: gemm in every orientation, odd and batched shapes") {
    const std::pair<Shape, Shape> shapes[] = {
        {{1, 1}, {1, 1}},           {{3, 5}, {5, 7}},        {{33, 65}, {65, 17}},         {{129, 257}, {257, 70}},
        {{1, 300}, {300, 5}},       {{1, 130}, {130, 517}},  {{3, 1, 130}, {3, 130, 117}}, {{200, 1}, {1, 31}},
        {{4, 3, 5}, {4, 5, 7}},     {{4, 33, 65}, {65, 17}}, {{3, 5}, {6, 5, 7}},          {{1, 3, 5}, {4, 5, 7}},
        {{5, 60, 33}, {5, 33, 41}}, {{16, 600}, {600, 8}},   {{95, 16}, {16, 33}},         {{17, 3}, {3, 31}}};
    for (DType dtype : real_types) {
      for (const auto& [shape_a, shape_b] : shapes) {
        for (Transpose op_a : {Transpose::no, Transpose::yes}) {
          for (Transpose op_b : {Transpose::no, Transpose::yes}) {
            INFO(text(shape_a), " ", text(shape_b), " ", static_cast<int>(op_a), static_cast<int>(op_b));
            const Tensor a = normal_input(oriented(op_a, shape_a), "a", dtype),
                         b = normal_input(oriented(op_b, shape_b), "b", dtype);
            const std::vector<double> expected = naive_product(op_a, a, op_b, b);
            const double eps = product_tolerance(dtype, shape_a[-1]);
            const Tensor c = ops::gemm(op_a, a, op_b, b);
            CHECK(close(c, expected, eps));
            const Tensor old = normal_input(c.shape(), "c", dtype), accumulated = old.clone();
            ops::gemm(op_a, a, op_b, b, {accumulated, true}, -0.5);
            CHECK(close(accumulated, ops::subtract(old, ops::scale(0.5, c)), eps));
          }
        }
      }
    }
  }

  TEST_CASE("ops: gemm of empty extents") {
    CHECK(ops::gemm(Transpose::no, Tensor({0, 3}), Transpose::no, Tensor({3, 4})).shape() == Shape{0, 4});
    CHECK(close(ops::gemm(Transpose::no, Tensor({2, 0}), Transpose::no, Tensor({0, 2})), {0, 0, 0, 0}, 0));
    const Tensor c = Tensor::full({2, 2}, 3);
    ops::gemm(Transpose::no, Tensor({2, 0}), Transpose::no, Tensor({0, 2}), {c, true});
    CHECK(close(c, {3, 3, 3, 3}, 0));
  }

  TEST_CASE("ops: products, sums and linear have the same bits for every number of threads [threads]") {
    for (DType dtype : real_types) {
      const Tensor x = normal_input({130, 257}, "x", dtype), weight = normal_input({301, 257}, "weight", dtype),
                   bias = normal_input({301}, "bias", dtype);
      const auto results = [&] {
        return std::vector{ops::linear(x, weight, bias, ScalarFunction::tanh),
                           ops::gemm(Transpose::yes, x, Transpose::no, x), ops::sum(weight),
                           ops::reduce(Reduction::sum, weight, std::vector{0}), ops::sum_of_squares(weight)};
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

  TEST_CASE("ops: linear is a product, a bias and a function") {
    for (DType dtype : real_types) {
      const Tensor weight = normal_input({65, 33}, "weight", dtype), bias = normal_input({65}, "bias", dtype);
      for (const Shape& shape : {Shape{1, 33}, Shape{129, 33}, Shape{3, 4, 33}, Shape{33}, Shape{0, 33}}) {
        const Tensor x = normal_input(shape, "x", dtype);
        for (Scalar f : {Scalar(ScalarFunction::identity), Scalar(ScalarFunction::relu),
                         Scalar(ScalarFunction::leaky_relu, 0.3), Scalar(ScalarFunction::gelu)}) {
          INFO(text(shape), " ", std::string(info(f.function).name));
          const Tensor product = ops::gemm(Transpose::no, x.reshape({shape.rows(), 33}), Transpose::yes, weight);
          const Tensor y = ops::linear(x, weight, bias, f);
          CHECK(y.shape() == shape.with(-1, 65));
          CHECK(close(y, ops::scalar(f, 0, ops::add(product, bias)).to_vector(), product_tolerance(dtype, 33)));
          CHECK(close(ops::linear(x, weight, {}, f), ops::scalar(f, 0, product).to_vector(),
                      product_tolerance(dtype, 33)));
        }
      }
    }
  }
}
