#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "core/ops.h"
#include "core/step.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

double elementwise_tolerance(DType dtype) { return dtype == DType::f32 ? 3e-6 : 1e-14; }

// The element of x that broadcasting puts at `flat` of `result`.
std::size_t source_of(std::int64_t flat, const Shape& result, const Shape& x) {
  std::int64_t index = 0, stride = 1;
  for (int k = 1; k <= x.rank(); ++k) {
    const std::int64_t at = flat % result[-k];
    flat /= result[-k];
    if (x[-k] > 1) index += at * stride;
    stride *= x[-k];
  }
  return static_cast<std::size_t>(index);
}

double apply(Binary op, double a, double b) {
  switch (op) {
    case Binary::add:
      return a + b;
    case Binary::subtract:
      return a - b;
    case Binary::multiply:
      return a * b;
    case Binary::divide:
      return a / b;
    case Binary::maximum:
      return std::max(a, b);
  }
  return 0;
}

constexpr std::array<Binary, 5> all_binary = {Binary::add, Binary::subtract, Binary::multiply, Binary::divide,
                                              Binary::maximum};

}  // namespace

TEST_SUITE("core/ops_elementwise") {
  TEST_CASE("ops: scale and add_to overwrite or accumulate, in place too") {
    for (DType dtype : real_types) {
      const Tensor x = normal_input({100003}, "x", dtype), y = normal_input({100003}, "y", dtype);
      std::vector<double> scaled = x.to_vector(), added = scaled;
      const std::vector<double> old = y.to_vector();
      for (std::size_t i = 0; i < scaled.size(); ++i) {
        scaled[i] = 1.75 * scaled[i] + old[i];
        added[i] += old[i];
      }
      const Tensor sum = y.clone();
      ops::add_to(x, {sum, true});
      CHECK(close(sum, added, elementwise_tolerance(dtype)));
      ops::add_to(x, {sum, false});
      CHECK(identical(sum, x));
      const Tensor result = y.clone();
      ops::scale(1.75, x, {result, true});
      CHECK(close(result, scaled, elementwise_tolerance(dtype)));
      const Tensor doubled = ops::scale(2, x);
      ops::scale(2, x, {x});
      CHECK(identical(x, doubled));
      ops::fill(x, 0.25);
      CHECK(close(x, std::vector<double>(100003, 0.25), 0));
    }
  }

  TEST_CASE("ops: scalar functions and their vjps agree with evaluate") {
    constexpr ScalarFunction functions[] = {
#define RZ_ENTRY(name, type) ScalarFunction::name,
        RZ_SCALAR_FUNCTIONS(RZ_ENTRY)
#undef RZ_ENTRY
    };
    for (DType dtype : real_types) {
      for (ScalarFunction f : functions) {
        INFO(std::string(info(f).name));
        const bool positive = f == ScalarFunction::log || f == ScalarFunction::sqrt || f == ScalarFunction::reciprocal;
        Tensor x = ops::scale(2, normal_input({1037}, "x", dtype));
        if (positive) x = ops::add(ops::multiply(x, x), Tensor::full({1}, 0.5, dtype));
        const std::vector<double> at = x.to_vector();
        std::vector<double> expected[3];
        for (int order = 0; order < 3; ++order) {
          for (double value : at) expected[order].push_back(evaluate(f, order, value));
          CHECK(close(ops::scalar(f, order, x), expected[order], 4 * elementwise_tolerance(dtype)));
        }
        const Tensor d_y = normal_input({1037}, "d_y", dtype), old = normal_input({1037}, "old", dtype);
        const std::vector<double> given = d_y.to_vector();
        for (std::size_t i = 0; i < given.size(); ++i) expected[1][i] *= given[i];
        const Tensor kept = info(f).uses_output ? ops::scalar(f, 0, x) : x;
        const Tensor d_x = ops::scalar_vjp(f, kept, d_y);
        CHECK(close(d_x, expected[1], 10 * elementwise_tolerance(dtype)));
        const Tensor accumulated = old.clone();
        ops::scalar_vjp(f, kept, d_y, {accumulated, true});
        CHECK(close(ops::subtract(accumulated, old), d_x, 100 * elementwise_tolerance(dtype)));
      }
      const Tensor x = Tensor::of({2}, std::vector{-2.0, 2.0}, dtype);
      CHECK(close(ops::scalar({ScalarFunction::leaky_relu, 0.25}, 0, x), {-0.5, 2}, 0));
      CHECK(close(ops::scalar_vjp({ScalarFunction::leaky_relu, 0.25}, x, x), {-0.5, 2}, 0));
    }
  }

  TEST_CASE("ops: binary operations broadcast as NumPy does") {
    const std::pair<Shape, Shape> shapes[] = {{{3, 4}, {3, 4}},
                                              {{3, 4}, {4}},
                                              {{3, 4}, {3, 1}},
                                              {{3, 1}, {1, 4}},
                                              {{}, {5}},
                                              {{2, 3, 4}, {3, 1}},
                                              {{2, 1, 4, 1}, {3, 1, 5}},
                                              {{67, 129}, {129}},
                                              {{67, 129}, {1}},
                                              {{0, 3}, {3}},
                                              {{1, 1}, {}}};
    for (DType dtype : real_types) {
      for (const auto& [shape_a, shape_b] : shapes) {
        for (bool swapped : {false, true}) {
          const Tensor a = normal_input(swapped ? shape_b : shape_a, "a", dtype);
          const Tensor b = normal_input(swapped ? shape_a : shape_b, "b", dtype);
          const std::vector<double> values_a = a.to_vector(), values_b = b.to_vector();
          const Shape result = ops::broadcast(a.shape(), b.shape(), "test");
          for (Binary op : all_binary) {
            INFO(text(a.shape()), " ", text(b.shape()), " ", static_cast<int>(op));
            std::vector<double> expected;
            for (std::int64_t i = 0; i < result.elements(); ++i)
              expected.push_back(
                  apply(op, values_a[source_of(i, result, a.shape())], values_b[source_of(i, result, b.shape())]));
            const Tensor y = ops::binary(op, a, b);
            CHECK(y.shape() == result);
            CHECK(close(y, expected, elementwise_tolerance(dtype)));
            const Tensor old = normal_input(result, "old", dtype), accumulated = old.clone();
            ops::binary(op, a, b, {accumulated, true});
            CHECK(close(accumulated, ops::add(old, y), 2 * elementwise_tolerance(dtype)));
          }
        }
      }
    }
  }

  TEST_CASE("ops: a result larger than both operands is filled by broadcasting") {
    const Tensor y({2, 2, 2}, DType::f64);
    ops::broadcast_to(Tensor::of({2, 1}, std::vector{1.0, 2.0}), {y});
    CHECK(close(y, {1, 1, 2, 2, 1, 1, 2, 2}, 0));
    CHECK(close(ops::repeat(Tensor::of({2}, std::vector{1.0, 2.0}), 3),
                Tensor::of({3, 2}, std::vector{1.0, 2.0, 1.0, 2.0, 1.0, 2.0}), 0));
  }

  TEST_CASE("ops: a binary operation may write over its operand") {
    for (DType dtype : real_types) {
      const Tensor a = normal_input({777}, "a", dtype), b = normal_input({777}, "b", dtype),
                   expected = ops::multiply(a, b);
      ops::binary(Binary::multiply, a, b, {a});
      CHECK(identical(a, expected));
    }
  }

  TEST_CASE("ops: residual_add reads one gate, its vjp writes one") {
    for (DType dtype : real_types) {
      const Tensor x = normal_input({9, 301}, "x", dtype), f = normal_input({9, 301}, "f", dtype),
                   d_y = normal_input({9, 301}, "d_y", dtype);
      const Tensor gates = Tensor::of({3}, std::vector{5.0, -0.75, 7.0}, dtype);
      std::vector<double> y = x.to_vector(), d_f = d_y.to_vector();
      const std::vector<double> branch = f.to_vector();
      double dot = 0;
      for (std::size_t i = 0; i < y.size(); ++i) {
        y[i] += -0.75 * branch[i];
        dot += d_f[i] * branch[i];
        d_f[i] *= -0.75;
      }
      CHECK(close(ops::residual_add(x, f, gates, 1), y, elementwise_tolerance(dtype)));
      const Tensor got({9, 301}, dtype), d_gates = Tensor::full({3}, 2, dtype);
      ops::residual_add_vjp(f, gates, 1, d_y, {got}, {d_gates});
      CHECK(close(got, d_f, elementwise_tolerance(dtype)));
      CHECK(close(d_gates, {2, dot, 2}, 20 * elementwise_tolerance(dtype)));
      ops::residual_add_vjp(f, gates, 1, d_y, {}, {d_gates, true});
      CHECK(close(d_gates, {2, 2 * dot, 2}, 20 * elementwise_tolerance(dtype)));
      ops::residual_add_vjp(f, gates, 1, d_y, {got, true}, {});
      CHECK(close(got, ops::scale(2, Tensor::of({9, 301}, d_f, dtype)), elementwise_tolerance(dtype)));
    }
  }

  TEST_CASE("ops: fused functions agree with their default bodies") {
    Backend& cpu = backend(Device::cpu());
    for (DType dtype : real_types) {
      const Tensor x = normal_input({37, 129}, "x", dtype), f = normal_input({37, 129}, "f", dtype),
                   old = normal_input({37, 129}, "old", dtype);
      const Tensor gates = normal_input({4}, "gates", dtype), weight = normal_input({65, 129}, "weight", dtype),
                   bias = normal_input({65}, "bias", dtype);
      for (bool accumulate : {false, true}) {
        const auto pair_of = [&](const Tensor& start) {
          return std::array{Destination{start.clone(), accumulate}, Destination{start.clone(), accumulate}};
        };
        Workspace scratch(pool(Device::cpu())), default_scratch(pool(Device::cpu()));
        const auto y = pair_of(old), d_f = pair_of(old), d_gates = pair_of(gates);
        const auto z = pair_of(normal_input({37, 65}, "z", dtype));
        cpu.residual_add(x.operand(), f.operand(), gates.operand(), 2, y[0].target(), scratch);
        cpu.Backend::residual_add(x.operand(), f.operand(), gates.operand(), 2, y[1].target(), default_scratch);
        CHECK(close(y[0].tensor, y[1].tensor, elementwise_tolerance(dtype)));
        cpu.residual_add_vjp(f.operand(), gates.operand(), 2, x.operand(), d_f[0].target(), d_gates[0].target(),
                             scratch);
        cpu.Backend::residual_add_vjp(f.operand(), gates.operand(), 2, x.operand(), d_f[1].target(),
                                      d_gates[1].target(), default_scratch);
        CHECK(close(d_f[0].tensor, d_f[1].tensor, elementwise_tolerance(dtype)));
        CHECK(close(d_gates[0].tensor, d_gates[1].tensor, 20 * elementwise_tolerance(dtype)));
        cpu.linear(x.operand(), weight.operand(), bias.operand(), ScalarFunction::tanh, z[0].target(), scratch);
        cpu.Backend::linear(x.operand(), weight.operand(), bias.operand(), ScalarFunction::tanh, z[1].target(),
                            default_scratch);
        CHECK(close(z[0].tensor, z[1].tensor, 4 * elementwise_tolerance(dtype)));
      }
    }
  }
}
