#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/ops.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

double reduction_tolerance(DType dtype) { return dtype == DType::f32 ? 3e-6 : 1e-14; }

// Reduces the axes whose bit is set, in f64.
std::vector<double> naive_reduce(Reduction op, const Tensor& x, unsigned axes) {
  const Shape& shape = x.shape();
  Shape kept = shape;
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (axes >> axis & 1) kept = kept.with(axis, 1);
  std::vector<double> y(static_cast<std::size_t>(kept.elements()), op == Reduction::sum ? 0 : -HUGE_VAL);
  const std::vector<double> values = x.to_vector();
  for (std::int64_t flat = 0; flat < shape.elements(); ++flat) {
    std::int64_t rest = flat, to = 0, stride = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if (!(axes >> axis & 1)) {
        to += rest % shape[axis] * stride;
        stride *= shape[axis];
      }
      rest /= shape[axis];
    }
    double& result = y[static_cast<std::size_t>(to)];
    const double value = values[static_cast<std::size_t>(flat)];
    result = op == Reduction::sum ? result + value : std::max(result, value);
  }
  return y;
}

std::vector<int> axes_of(unsigned bits) {
  std::vector<int> axes;
  for (int axis = 0; axis < 6; ++axis)
    if (bits >> axis & 1) axes.push_back(axis);
  return axes;
}

}  // namespace

TEST_SUITE("core/ops_reduction") {
  TEST_CASE("ops: sums and maxima over every set of axes") {
    for (DType dtype : real_types) {
      for (const Shape& shape : {Shape{3, 4, 5, 6}, Shape{67, 1, 35, 3}, Shape{2, 1000, 1, 9}}) {
        const Tensor x = normal_input(shape, "x", dtype);
        for (unsigned axes = 0; axes < 16; ++axes) {
          for (Reduction op : {Reduction::sum, Reduction::max}) {
            INFO(text(shape), " ", axes, " ", static_cast<int>(op));
            const Tensor y = ops::reduce(op, x, axes_of(axes), true);
            CHECK(close(y, naive_reduce(op, x, axes), 50 * reduction_tolerance(dtype)));
            CHECK(close(ops::reduce(op, x, axes_of(axes)), y.to_vector(), 0));
          }
        }
      }
    }
    const Tensor x = Tensor::zeros({2, 3, 4});
    CHECK(ops::reduce(Reduction::sum, x, axes_of(2)).shape() == Shape{2, 4});
    CHECK(ops::reduce(Reduction::sum, x, axes_of(2), true).shape() == Shape{2, 1, 4});
    CHECK(ops::reduce(Reduction::sum, x, std::vector{-1, 0}).shape() == Shape{3});
    CHECK(close(ops::sum(Tensor::zeros({0, 3})), {0}, 0));
    CHECK(close(ops::reduce(Reduction::sum, Tensor::zeros({0, 3}), axes_of(1)), {0, 0, 0}, 0));
  }

  TEST_CASE("ops: a long f32 sum keeps its digits") {
    const std::int64_t n = 1 << 24;
    CHECK(close(ops::sum(Tensor::full({n}, 0.1)).item(), static_cast<double>(n) * double{0.1F}, 2e-6));
    CHECK(close(ops::sum(Tensor::full({n / 4, 4}, 0.1)).item(), static_cast<double>(n) * double{0.1F}, 2e-6));
    const Tensor columns = ops::reduce(Reduction::sum, Tensor::full({n / 4, 4}, 0.1), axes_of(1));
    CHECK(close(columns, std::vector<double>(4, static_cast<double>(n / 4) * double{0.1F}), 2e-6));
    CHECK(close(ops::sum_of_squares(Tensor::full({n}, 0.1)).item(),
                static_cast<double>(n) * double{0.1F} * double{0.1F}, 1e-12));
  }

  TEST_CASE("ops: NaN comes through a maximum") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (DType dtype : real_types) {
      for (std::int64_t n : {3, 40, 1000}) {
        for (std::int64_t at : {std::int64_t{0}, n / 2, n - 1}) {
          std::vector<double> values(static_cast<std::size_t>(n), 1.0);
          values[static_cast<std::size_t>(at)] = nan;
          const Tensor x = Tensor::of({n}, values, dtype);
          CHECK(std::isnan(ops::reduce(Reduction::max, x, axes_of(1)).item()));
          CHECK(std::isnan(ops::reduce(Reduction::max, x.reshape({n, 1}), axes_of(1)).item()));
        }
      }
    }
  }

  TEST_CASE("ops: sum_to is the transpose of broadcasting") {
    const Shape small_shapes[] = {{4, 1}, {5}, {3, 1, 5}, {}, {3, 4, 5}, {1, 1, 1}};
    for (DType dtype : real_types) {
      const Tensor x = normal_input({3, 4, 5}, "x", dtype);
      for (const Shape& small : small_shapes) {
        INFO(text(small));
        const Tensor s = normal_input(small, "s", dtype), broadcast({3, 4, 5}, dtype), y(small, dtype);
        ops::broadcast_to(s, {broadcast});
        ops::sum_to(x, {y});
        const double left = ops::sum(ops::multiply(broadcast, x)).item(), right = ops::sum(ops::multiply(s, y)).item();
        CHECK(close(left, right, 10 * reduction_tolerance(dtype)));
        const Tensor accumulated = s.clone();
        ops::sum_to(x, {accumulated, true});
        CHECK(close(accumulated, ops::add(s, y), 2 * reduction_tolerance(dtype)));
      }
    }
  }

  TEST_CASE("ops: argmax_rows gives the first of equals") {
    for (DType dtype : real_types) {
      const Tensor x =
          Tensor::of({3, 4}, std::vector{1.0, 3.0, 3.0, 2.0, -1.0, -2.0, -3.0, -4.0, 0.0, 0.0, 0.0, 0.5}, dtype);
      CHECK(ops::argmax_rows(x).to_integers() == std::vector<std::int64_t>{1, 0, 3});
      const double nan = std::nan("");
      const Tensor broken = Tensor::of({3, 2}, std::vector{1.0, nan, nan, 1.0, -HUGE_VAL, -HUGE_VAL}, dtype);
      CHECK(ops::argmax_rows(broken).to_integers() == std::vector<std::int64_t>{-1, -1, 0});
      const Tensor wide = normal_input({20, 1037}, "wide", dtype);
      const std::vector<double> values = wide.to_vector();
      std::vector<std::int64_t> expected;
      for (int row = 0; row < 20; ++row) {
        const auto begin = values.begin() + row * 1037;
        expected.push_back(std::max_element(begin, begin + 1037) - begin);
      }
      CHECK(ops::argmax_rows(wide).to_integers() == expected);
    }
  }

  TEST_CASE("ops: sum_of_squares is summed in f64") {
    for (DType dtype : real_types) {
      const Tensor x = normal_input({1037, 31}, "x", dtype);
      double expected = 0;
      for (double value : x.to_vector()) expected += value * value;
      CHECK(close(ops::sum_of_squares(x).item(), expected, 1e-12));
    }
  }
}
