#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/ops.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

const DType all_types[] = {DType::f32, DType::f64, DType::bf16, DType::i32, DType::i64, DType::u8};

Tensor counting_to_250(const Shape& shape, DType dtype) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i % 251);
  return Tensor::of_integers(shape, values, dtype);
}

std::int64_t flat_index(const std::vector<std::int64_t>& index, const Shape& shape) {
  std::int64_t flat = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) flat = flat * shape[axis] + index[static_cast<std::size_t>(axis)];
  return flat;
}

std::vector<double> naive_permute(const Tensor& x, const std::vector<int>& axes) {
  const Shape& shape = x.shape();
  Shape result = shape;
  for (int k = 0; k < shape.rank(); ++k) result = result.with(k, shape[axes[static_cast<std::size_t>(k)]]);
  const std::vector<double> values = x.to_vector();
  std::vector<double> y(values.size());
  std::vector<std::int64_t> index(axes.size()), source(axes.size());
  for (std::int64_t flat = 0; flat < result.elements(); ++flat) {
    std::int64_t rest = flat;
    for (int k = shape.rank() - 1; k >= 0; --k) {
      index[static_cast<std::size_t>(k)] = rest % result[k];
      rest /= result[k];
    }
    for (std::size_t k = 0; k < axes.size(); ++k) source[static_cast<std::size_t>(axes[k])] = index[k];
    y[static_cast<std::size_t>(flat)] = values[static_cast<std::size_t>(flat_index(source, shape))];
  }
  return y;
}

}  // namespace

TEST_SUITE("core/ops_moving") {
  TEST_CASE("ops: permute by every order of axes, in every dtype") {
    std::vector<int> axes = {0, 1, 2, 3};
    do {
      for (DType dtype : all_types) {
        INFO(axes[0], axes[1], axes[2], axes[3], " ", std::string(name(dtype)));
        const Tensor x = counting_to_250({3, 4, 5, 6}, dtype);
        CHECK(close(ops::permute(x, axes), naive_permute(x, axes), 0));
      }
    } while (std::next_permutation(axes.begin(), axes.end()));
    const Tensor large = normal_input({129, 67}, "large");
    CHECK(close(ops::permute(large, std::vector{1, 0}), naive_permute(large, {1, 0}), 0));
    CHECK(identical(ops::permute(large, std::vector{-1, -2}), ops::permute(large, std::vector{1, 0})));
    const Tensor six = counting_to_250({2, 3, 1, 2, 3, 2}, DType::f32);
    CHECK(close(ops::permute(six, std::vector{5, 3, 1, 4, 2, 0}), naive_permute(six, {5, 3, 1, 4, 2, 0}), 0));
    CHECK(ops::permute(Tensor({0, 3}), std::vector{1, 0}).shape() == Shape{3, 0});
  }

  TEST_CASE("ops: permute may accumulate") {
    const Tensor x = normal_input({3, 5, 4}, "x"), y = normal_input({4, 3, 5}, "y"), sum = y.clone();
    const std::vector axes = {2, 0, 1};
    ops::permute(x, axes, {sum, true});
    CHECK(close(sum, ops::add(y, ops::permute(x, axes)), 1e-15));
  }

  TEST_CASE("ops: slices, padding and concatenation along every axis") {
    for (DType dtype : all_types) {
      const Tensor x = counting_to_250({4, 5, 6}, dtype);
      for (int axis = 0; axis < 3; ++axis) {
        INFO(axis, " ", std::string(name(dtype)));
        const std::int64_t n = x.shape()[axis];
        const std::vector<Tensor> parts = {ops::slice(x, axis, 0, 1), ops::slice(x, axis, 1, 0),
                                           ops::slice(x, axis - 3, 1, n - 1)};
        CHECK(identical(ops::concat(parts, axis), x));
        const Tensor padded = ops::pad(x, axis, 2, 1);
        CHECK(padded.shape()[axis] == n + 3);
        CHECK(identical(ops::slice(padded, axis, 2, n), x));
        CHECK(close(ops::slice(padded, axis, 0, 2), std::vector<double>(static_cast<std::size_t>(2 * x.elements() / n)),
                    0));
        CHECK(close(ops::slice(padded, axis, n + 2, 1), std::vector<double>(static_cast<std::size_t>(x.elements() / n)),
                    0));
      }
    }
    const Tensor x = Tensor::of({2, 3}, std::vector{0.0, 1.0, 2.0, 3.0, 4.0, 5.0});
    CHECK(close(ops::slice(x, 1, 1, 2), {1, 2, 4, 5}, 0));
    CHECK(close(ops::pad(x, 1, 1, 0), {0, 0, 1, 2, 0, 3, 4, 5}, 0));
    CHECK(close(ops::concat(std::vector{x, ops::scale(-1, x)}, 0), {0, 1, 2, 3, 4, 5, 0, -1, -2, -3, -4, -5}, 0));
  }

  TEST_CASE("ops: copy_block adds a block where it accumulates") {
    const Tensor x = Tensor::of({2, 3}, std::vector{0.0, 1.0, 2.0, 3.0, 4.0, 5.0}),
                 y = Tensor::full({3, 3}, 10, DType::f64);
    ops::copy_block(x, {0, 1}, {y, true}, {1, 0}, {2, 2});
    CHECK(close(y, {10, 10, 10, 11, 12, 10, 14, 15, 10}, 0));
  }

  TEST_CASE("ops: gather and scatter_add of rows") {
    for (DType dtype : {DType::f32, DType::f64}) {
      const Tensor table = normal_input({10, 3, 2}, "table", dtype);
      const Tensor indices = Tensor::of_integers({4}, std::vector<std::int64_t>{9, 0, 9, 3});
      const Tensor rows = ops::gather_rows(table, indices);
      CHECK(rows.shape() == Shape{4, 3, 2});
      const int expected[] = {9, 0, 9, 3};
      for (int i = 0; i < 4; ++i) CHECK(identical(rows.rows(i, 1), table.rows(expected[i], 1)));
      const Tensor sums = Tensor::zeros({10, 3, 2}, dtype);
      ops::scatter_add_rows(rows, indices, sums);
      CHECK(close(sums.rows(9, 1), ops::scale(2, table.rows(9, 1)), 1e-6));
      CHECK(identical(sums.rows(3, 1), table.rows(3, 1)));
      CHECK(close(sums.rows(4, 5), std::vector<double>(30), 0));
    }
    const Tensor pixels = counting_to_250({5, 7}, DType::u8);
    CHECK(
        identical(ops::gather_rows(pixels, Tensor::of_integers({1}, std::vector<std::int64_t>{2})), pixels.rows(2, 1)));
  }
}
