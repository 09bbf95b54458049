#include <doctest/doctest.h>

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

constexpr std::int64_t length = 1037;

double update_tolerance(DType dtype) { return dtype == DType::f32 ? 2e-6 : 1e-14; }

void set_slot(const StepState& state, StepStateSlot slot, double value) { state.tensor().data<double>()[slot] = value; }

}  // namespace

TEST_SUITE("core/ops_update") {
  TEST_CASE("ops: sgd by its definition over three steps") {
    const UpdateOptions rows[] = {{.rate_factor = 0.5},
                                  {.weight_decay = 0.1},
                                  {.weight_decay = 0.01, .momentum = 0.9},
                                  {.momentum = 0.9, .nesterov = true}};
    for (DType dtype : real_types) {
      for (const UpdateOptions& o : rows) {
        const Tensor value = normal_input({length}, "value", dtype),
                     momentum = o.momentum > 0 ? Tensor::zeros({length}, dtype) : Tensor();
        std::vector<double> v = value.to_vector(), m(length);
        StepState state;
        for (int step = 0; step < 3; ++step) {
          const Tensor gradient = normal_input({length}, step == 1 ? "g1" : "g2", dtype);
          const std::vector<double> g = gradient.to_vector();
          state.set(step, 0.1 + step);
          set_slot(state, state_gradient_scale, 0.25);
          ops::sgd(o, state.tensor(), gradient, value, momentum);
          for (std::size_t i = 0; i < v.size(); ++i) {
            const double d = 0.25 * g[i] + o.weight_decay * v[i];
            m[i] = o.momentum * m[i] + d;
            v[i] -= o.rate_factor * (0.1 + step) * (o.nesterov ? d + o.momentum * m[i] : m[i]);
          }
        }
        CHECK(close(value, v, 4 * update_tolerance(dtype)));
      }
    }
  }

  TEST_CASE("ops: adagrad by its definition over three steps") {
    for (DType dtype : real_types) {
      const UpdateOptions o{.rate_factor = 0.5, .weight_decay = 0.1, .eps = 1e-3};
      const Tensor value = normal_input({length}, "value", dtype), sum = Tensor::full({length}, 0.5, dtype);
      std::vector<double> v = value.to_vector(), s(length, 0.5);
      StepState state;
      for (int step = 0; step < 3; ++step) {
        const Tensor gradient = normal_input({length}, step == 1 ? "g1" : "g2", dtype);
        const std::vector<double> g = gradient.to_vector();
        state.set(step, 0.1);
        ops::adagrad(o, state.tensor(), gradient, value, sum);
        for (std::size_t i = 0; i < v.size(); ++i) {
          const double d = g[i] + o.weight_decay * v[i];
          s[i] += d * d;
          v[i] -= o.rate_factor * 0.1 * d / (std::sqrt(s[i]) + o.eps);
        }
      }
      CHECK(close(value, v, 4 * update_tolerance(dtype)));
      CHECK(close(sum, s, 4 * update_tolerance(dtype)));
    }
  }

  TEST_CASE("ops: a gradient scale that is not finite leaves value and slots as they are") {
    for (DType dtype : real_types) {
      for (double scale : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        const Tensor value = normal_input({length}, "value", dtype), slot = normal_input({length}, "slot", dtype),
                     gradient = normal_input({length}, "g", dtype);
        const Tensor old_value = value.clone(), old_slot = slot.clone();
        StepState state;
        state.set(0, 1);
        set_slot(state, state_gradient_scale, scale);
        ops::sgd({.momentum = 0.9}, state.tensor(), gradient, value, slot);
        ops::adagrad({}, state.tensor(), gradient, value, slot);
        CHECK(identical(value, old_value));
        CHECK(identical(slot, old_slot));
      }
    }
  }

  TEST_CASE("ops: clip_scale") {
    StepState state;
    const auto clip = [&](double sum_of_squares, double max_norm) {
      ops::clip_scale(Tensor::full({1}, sum_of_squares, DType::f64), max_norm, state.tensor());
      return state.get(state_gradient_scale);
    };
    CHECK(clip(16, 2) == 0.5);
    CHECK(state.get(state_gradient_norm) == 4);
    CHECK(clip(1, 2) == 1);
    CHECK(clip(16, 0) == 1);
    CHECK(clip(0, 2) == 1);
    CHECK(std::isnan(clip(std::numeric_limits<double>::infinity(), 2)));
    CHECK(std::isnan(clip(std::numeric_limits<double>::quiet_NaN(), 0)));
  }

  TEST_CASE("ops: uniform numbers depend on key, step and index alone") {
    StepState state;
    state.set(5, 0);
    for (DType dtype : real_types) {
      const Tensor x = ops::uniform({1, 2}, state.tensor(), {100001}, dtype);
      const double scale = dtype == DType::f32 ? 0x1p24 : 0x1p53;
      double sum = 0;
      bool on_grid = true;
      for (double value : x.to_vector()) {
        on_grid = on_grid && value >= 0 && value < 1 && value * scale == std::floor(value * scale);
        sum += value - 0.5;
      }
      CHECK(on_grid);
      CHECK(std::abs(sum) < 4 * std::sqrt(100001 / 12.0));
      CHECK(identical(ops::uniform({1, 2}, state.tensor(), {10, 10}, dtype).reshape({100}), x.rows(0, 100)));
      CHECK(!identical(ops::uniform({1, 3}, state.tensor(), {100001}, dtype), x));
      CHECK(!identical(ops::uniform({2, 2}, state.tensor(), {100001}, dtype), x));
      state.set(6, 0);
      CHECK(!identical(ops::uniform({1, 2}, state.tensor(), {100001}, dtype), x));
      state.set(5, 0);
      CHECK(identical(ops::uniform({1, 2}, state.tensor(), {100001}, dtype), x));
    }
  }

  TEST_CASE("ops: a dropout mask keeps the mean") {
    const StepState state;
    for (DType dtype : real_types) {
      for (double p : {0.0, 0.1, 0.75}) {
        const std::int64_t n = 100000;
        const Tensor mask = ops::dropout_mask({3, 4}, state.tensor(), p, {n}, dtype);
        std::int64_t kept = 0;
        bool two_values = true;
        for (double value : mask.to_vector()) {
          kept += value != 0;
          two_values = two_values && (value == 0 || std::abs(value - 1 / (1 - p)) < 1e-6);
        }
        CHECK(two_values);
        CHECK(std::abs(static_cast<double>(kept) - static_cast<double>(n) * (1 - p)) <=
              4 * std::sqrt(static_cast<double>(n) * p * (1 - p)));
        CHECK(identical(mask, ops::dropout_mask({3, 4}, state.tensor(), p, {n}, dtype)));
      }
    }
  }
}
