// Random numbers, optimisers and fused functions of the CPU's backend.
#include <algorithm>

#include "core/ops.h"
#include "core/step.h"
#include "support/backend_calls.h"

namespace rz::test {
namespace {

Tensor state_with(double step, double rate, double scale) {
  std::vector<double> s(state_slots);
  s[state_step] = step;
  s[state_rate] = rate;
  s[state_gradient_scale] = scale;
  return Tensor::of({state_slots}, s);
}

// The definition, from the comment in core/cpu/kernels/random.cpp.
double number(const RandomKey& key, std::uint64_t step, std::uint64_t i, DType type) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
  const std::uint64_t per_block = type == DType::f32 ? 4 : 2, block = i / per_block;
  std::uint32_t words[4] = {low(block), high(block), low(step), low(key.stream)};
  philox(words, low(key.seed) ^ high(key.stream), high(key.seed));
  if (type == DType::f32) return (words[i % 4] >> 8) * 0x1p-24;
  return static_cast<double>((words[2 * (i % 2)] | std::uint64_t{words[2 * (i % 2) + 1]} << 32) >> 11) * 0x1p-53;
}

}  // namespace

TEST_SUITE("core/backend") {
  TEST_CASE("philox gives the numbers of its authors") {  // Random123's known answers
    std::uint32_t zeros[4] = {0, 0, 0, 0}, pi[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344};
    philox(zeros, 0, 0);
    philox(pi, 0xa4093822, 0x299f31d0);
    CHECK(std::vector<std::uint32_t>(zeros, zeros + 4) ==
          std::vector<std::uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(std::vector<std::uint32_t>(pi, pi + 4) ==
          std::vector<std::uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
  }

  TEST_CASE("uniform numbers and dropout masks are what their definition says") {
    const RandomKey key{0x123456789abcdef0, 0xfedcba9876543210};
    const Tensor state = state_with(77, 0, 1);
    const double p = 0.3;
    for (const DType type : real_types) {
      const double tiny = 1e-300;
      check_call(
          {3}, type, [&](std::int64_t i) { return number(key, 77, static_cast<std::uint64_t>(i), type); },
          [&](const Target& y, Workspace&) { cpu().uniform(key, state.operand(), y); },
          type == DType::f32 ? 1e-7 : 1e-15);
      const Tensor u = on_threads([&] { return ops::uniform(key, state, {40001}, type); });
      const Tensor mask = on_threads([&] { return ops::dropout_mask(key, state, p, {40001}, type); });
      std::vector<double> numbers(40001), kept(40001);
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = number(key, 77, i, type);
        kept[i] = numbers[i] >= p
                      ? (type == DType::f32 ? static_cast<double>(static_cast<float>(1 / (1 - p))) : 1 / (1 - p))
                      : 0;
      }
      CHECK(close(u, numbers, tiny));
      CHECK(close(mask, kept, tiny));
      CHECK(!identical(u, ops::uniform(key, state_with(78, 0, 1), {40001}, type)));
    }
  }

  TEST_CASE("sgd and adagrad follow their formulas over three steps") {
    const std::int64_t n = 20003;
    for (const DType type : real_types) {
      for (int variant = 0; variant < 4; ++variant) {
        CAPTURE(variant);
        const UpdateOptions o{.rate_factor = 2,
                              .weight_decay = 0.01,
                              .momentum = variant > 0 ? 0.9 : 0,
                              .nesterov = variant == 2,
                              .eps = 1e-3};
        const auto run = [&] {
          const Tensor value = values({n}, type, 1), slot = Tensor::zeros({n}, type);
          for (std::uint64_t step = 0; step < 3; ++step) {
            const Tensor gradient = values({n}, type, 10 + step),
                         state = state_with(static_cast<double>(step), 0.05, 0.5);
            if (variant == 3) {
              ops::adagrad(o, state, gradient, value, slot);
            } else {
              ops::sgd(o, state, gradient, value, variant > 0 ? slot : Tensor());
            }
          }
          return value;
        };
        std::vector<double> v = values({n}, type, 1).to_vector(), slot(v.size());
        for (std::uint64_t step = 0; step < 3; ++step) {
          const std::vector<double> gradient = values({n}, type, 10 + step).to_vector();
          for (std::size_t i = 0; i < v.size(); ++i) {
            const double g = 0.5 * gradient[i] + 0.01 * v[i];
            slot[i] = variant == 3 ? slot[i] + g * g : 0.9 * slot[i] + g;
            const double direction = variant == 0   ? g
                                     : variant == 1 ? slot[i]
                                     : variant == 2 ? g + 0.9 * slot[i]
                                                    : g / (std::sqrt(slot[i]) + 1e-3);
            v[i] -= 0.1 * direction;
          }
        }
        CHECK(close(on_threads(run), v, tolerance_of(type)));
      }
    }
  }

  TEST_CASE("adagrad without eps stays where nothing came, and moves NaN") {
    for (const DType type : real_types) {
      const Tensor value = Tensor::full({20}, 1, type), sum = Tensor::zeros({20}, type), state = state_with(0, 0.1, 1);
      const Tensor gradient = Tensor::zeros({20}, type);
      ops::adagrad({.eps = 0}, state, gradient, value, sum);
      CHECK(close(value, std::vector<double>(20, 1.0), 0));
      ops::fill(gradient, type == DType::f32 ? 1e-30 : 1e-200);  // its square is 0
      ops::adagrad({.eps = 0}, state, gradient, value, sum);
      CHECK(close(value, std::vector<double>(20, 1.0), 0));
      ops::fill(gradient, std::numeric_limits<double>::quiet_NaN());
      ops::adagrad({.eps = 0}, state, gradient, value, sum);
      CHECK(std::isnan(value.to_vector()[0]));
    }
  }

  TEST_CASE("a gradient that is not finite leaves everything as it is") {
    const Tensor value = values({9}, DType::f32, 1), slot = values({9}, DType::f32, 2), state = state_with(0, 0.1, 1);
    const Tensor value_before = value.clone(), slot_before = slot.clone();
    for (const double bad : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
      ops::clip_scale(Tensor::full({1}, bad, DType::f64), 0, state);
      CHECK(std::isnan(state.to_vector()[state_gradient_scale]));
      ops::sgd({.momentum = 0.9}, state, value, value, slot);
      ops::adagrad({}, state, value, value, slot);
      CHECK(identical(value, value_before));
      CHECK(identical(slot, slot_before));
    }
    ops::clip_scale(Tensor::full({1}, 16, DType::f64), 1, state);
    CHECK(state.to_vector()[state_gradient_norm] == 4);
    CHECK(state.to_vector()[state_gradient_scale] == 0.25);
    ops::clip_scale(Tensor::full({1}, 16, DType::f64), 5, state);
    CHECK(state.to_vector()[state_gradient_scale] == 1);
    ops::clip_scale(Tensor::full({1}, 16, DType::f64), 0, state);
    CHECK(state.to_vector()[state_gradient_scale] == 1);
  }

  TEST_CASE("linear: override against default") {
    struct Case {
      std::int64_t rows, in, out;
    };
    for (const DType type : real_types) {
      for (const Case& c : {Case{1, 1, 1}, Case{5, 3, 7}, Case{128, 256, 10}, Case{129, 257, 130}, Case{4, 0, 5}}) {
        CAPTURE(c.rows);
        const Tensor x = values({c.rows, c.in}, type, 1), weight = values({c.out, c.in}, type, 2),
                     bias = values({c.out}, type, 3);
        for (const Scalar f : {Scalar(ScalarFunction::identity), Scalar(ScalarFunction::relu),
                               Scalar(ScalarFunction::leaky_relu, 0.2), Scalar(ScalarFunction::gelu)}) {
          for (const bool with_bias : {true, false}) {
            const Operand b = with_bias ? bias.operand() : Operand{nullptr, {}, type};
            const Tensor y({c.rows, c.out}, type);
            Workspace w(pool(Device::cpu()));
            cpu().Backend::linear(x.operand(), weight.operand(), b, f, Destination{y}.target(), w);
            const std::vector<double> expected = y.to_vector();
            check_call(
                {c.rows, c.out}, type, [&](std::int64_t i) { return expected[static_cast<std::size_t>(i)]; },
                [&](const Target& to, Workspace& work) {
                  cpu().linear(x.operand(), weight.operand(), b, f, to, work);
                });
          }
        }
      }
    }
  }

  TEST_CASE("residual_add and its vjp: override against default, one gate of many") {
    for (const DType type : real_types) {
      for (const Shape& shape : {Shape{3}, Shape{130, 257}, Shape{2, 3, 4}}) {
        const Tensor x = values(shape, type, 1), f = values(shape, type, 2), gates = values({5}, type, 3);
        const auto element = [](const Tensor& t) {
          return [v = t.to_vector()](std::int64_t i) { return v[static_cast<std::size_t>(i)]; };
        };
        Workspace w(pool(Device::cpu()));
        const Tensor y(shape, type), d_f(shape, type), d_gates = Tensor::full({5}, 7, type);
        cpu().Backend::residual_add(x.operand(), f.operand(), gates.operand(), 3, Destination{y}.target(), w);
        check_call(shape, type, element(y), [&](const Target& to, Workspace& work) {
          cpu().residual_add(x.operand(), f.operand(), gates.operand(), 3, to, work);
        });
        const Target none{nullptr, {}, type};
        cpu().Backend::residual_add_vjp(f.operand(), gates.operand(), 3, x.operand(), Destination{d_f}.target(),
                                        Destination{d_gates}.target(), w);
        CHECK(d_gates.to_vector()[2] == 7);
        check_call(shape, type, element(d_f), [&](const Target& to, Workspace& work) {
          cpu().residual_add_vjp(f.operand(), gates.operand(), 3, x.operand(), to, none, work);
        });
        for (const bool with_f : {false, true}) {
          const double gate_gradient = d_gates.to_vector()[3];
          const Tensor result = on_threads([&] {
            const Tensor both = Tensor::full({5}, 7, type), to_f = x.clone();
            cpu().residual_add_vjp(f.operand(), gates.operand(), 3, to_f.operand(),
                                   with_f ? Destination{to_f}.target() : none, Destination{both, with_f}.target(),
                                   w);  // d_f in place of d_y
            if (with_f) CHECK(close(to_f, d_f.to_vector(), tolerance_of(type)));
            return both;
          });
          CHECK(close(result, {7, 7, 7, gate_gradient + (with_f ? 7 : 0), 7}, 30 * tolerance_of(type)));
        }
      }
    }
  }
}

}  // namespace rz::test
