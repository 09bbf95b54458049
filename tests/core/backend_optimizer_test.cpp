// The rules of the CPU's backend beside SGD and Adagrad, against their formulas in f64.
#include <array>
#include <cmath>

#include "core/ops.h"
#include "core/step.h"
#include "support/backend_calls.h"

namespace rz::test {
namespace {

constexpr std::int64_t size = 20003;
constexpr double rate = 0.1, scale = 0.5;

Tensor state_of(double step, double gradient_scale = scale) {
  std::vector<double> s(state_slots);
  s[state_step] = step;
  s[state_rate] = rate / 2;  // the options' factor is 2
  s[state_gradient_scale] = gradient_scale;
  return Tensor::of({state_slots}, s);
}

UpdateOptions options() {
  return {.rate_factor = 2, .weight_decay = 0.01, .momentum = 0.9, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-3};
}

struct Element {  // of value and two slots
  double value, first, second;
};
using Rule = std::function<void(const UpdateOptions&, const Tensor& state, const Tensor& gradient, const Tensor& value,
                                const Tensor& first, const Tensor& second)>;
using Formula = std::function<void(double g, int step, Element& e)>;

// Three steps of the rule, on 1 and 3 threads, against the formula for an element; value and slots are compared.
void check_rule(const UpdateOptions& o, const Rule& rule, const Formula& formula) {
  for (const DType type : real_types) {
    CAPTURE(name(type));
    std::array<Tensor, 2> slots;
    const auto run = [&] {
      const Tensor value = values({size}, type, 1);
      slots = {Tensor::zeros({size}, type), Tensor::zeros({size}, type)};
      for (int step = 1; step <= 3; ++step)
        rule(o, state_of(step), values({size}, type, static_cast<std::uint64_t>(10 + step)), value, slots[0], slots[1]);
      return value;
    };
    const std::vector<double> start = values({size}, type, 1).to_vector();
    std::vector<Element> all;
    for (const double v : start) all.push_back({v, 0, 0});
    for (int step = 1; step <= 3; ++step) {
      const std::vector<double> g = values({size}, type, static_cast<std::uint64_t>(10 + step)).to_vector();
      for (std::size_t i = 0; i < all.size(); ++i) formula(scale * g[i], step, all[i]);
    }
    std::vector<double> value, first, second;
    for (const Element& e : all) {
      value.push_back(e.value);
      first.push_back(e.first);
      second.push_back(e.second);
    }
    CHECK(close(on_threads(run), value, 2 * tolerance_of(type)));
    CHECK(close(slots[0], first, 2 * tolerance_of(type)));
    CHECK(close(slots[1], second, 2 * tolerance_of(type)));
  }
}

// Adam's direction and moments for the options above.
double adam_direction(double g, int step, Element& e, bool corrected) {
  e.first = 0.8 * e.first + 0.2 * g;
  e.second = 0.95 * e.second + 0.05 * g * g;
  const double m = corrected ? e.first / (1 - std::pow(0.8, step)) : e.first;
  const double v = corrected ? e.second / (1 - std::pow(0.95, step)) : e.second;
  return m / (std::sqrt(v) + 1e-3);
}

}  // namespace

TEST_SUITE("core/backend") {
  TEST_CASE("rmsprop follows its formula, with and without momentum") {
    for (const bool momentum : {true, false})
      check_rule(
          options(),
          [&](const UpdateOptions& o, const Tensor& state, const Tensor& gradient, const Tensor& value,
              const Tensor& first,
              const Tensor& second) { ops::rmsprop(o, state, gradient, value, second, momentum ? first : Tensor()); },
          [&](double g, int, Element& e) {
            g += 0.01 * e.value;
            e.second = 0.95 * e.second + 0.05 * g * g;
            const double d = g / (std::sqrt(e.second) + 1e-3);
            if (momentum) e.first = 0.9 * e.first + d;
            e.value -= rate * (momentum ? e.first : d);
          });
  }

  TEST_CASE("adam follows its formula: decay in the gradient or decoupled, corrected or not") {
    for (const bool decoupled : {false, true})
      for (const bool corrected : {false, true}) {
        UpdateOptions o = options();
        o.decoupled = decoupled;
        o.bias_correction = corrected;
        check_rule(o, ops::adam, [&](double g, int step, Element& e) {
          const double decay = 0.01 * e.value;
          const double direction = adam_direction(decoupled ? g : g + decay, step, e, corrected);
          e.value -= rate * (decoupled ? direction + decay : direction);
        });
      }
  }

  TEST_CASE("lion follows its formula") {
    check_rule(
        options(),
        [](const UpdateOptions& o, const Tensor& state, const Tensor& gradient, const Tensor& value,
           const Tensor& first, const Tensor&) { ops::lion(o, state, gradient, value, first); },
        [](double g, int, Element& e) {
          const double c = 0.8 * e.first + 0.2 * g;
          e.first = 0.95 * e.first + 0.05 * g;
          e.value -= rate * ((c > 0) - (c < 0) + 0.01 * e.value);
        });
  }

  TEST_CASE("lamb: a step has the length rate times the value's norm along Adam's direction") {
    for (const DType type : real_types) {
      std::vector<double> v = values({size}, type, 1).to_vector();
      std::vector<Element> all;
      for (const double x : v) all.push_back({x, 0, 0});
      for (int step = 1; step <= 3; ++step) {
        const std::vector<double> g = values({size}, type, static_cast<std::uint64_t>(10 + step)).to_vector();
        std::vector<double> u(v.size());
        double of_value = 0, of_u = 0;
        for (std::size_t i = 0; i < v.size(); ++i) {
          u[i] = adam_direction(scale * g[i], step, all[i], true) + 0.01 * v[i];
          of_value += v[i] * v[i];
          of_u += u[i] * u[i];
        }
        for (std::size_t i = 0; i < v.size(); ++i) v[i] -= rate * std::sqrt(of_value / of_u) * u[i];
      }
      const Tensor result = on_threads([&] {
        const Tensor value = values({size}, type, 1), mean = Tensor::zeros({size}, type),
                     square = Tensor::zeros({size}, type);
        for (int step = 1; step <= 3; ++step)
          ops::lamb(options(), state_of(step), values({size}, type, static_cast<std::uint64_t>(10 + step)), value, mean,
                    square);
        return value;
      });
      CHECK(close(result, v, 3 * tolerance_of(type)));
    }
  }

  TEST_CASE("lamb: a value of 0 moves as under Adam") {
    const Tensor value = Tensor::zeros({3}, DType::f64), mean = value.clone(), square = value.clone();
    ops::lamb({.rate_factor = 2, .beta2 = 0.99, .eps = 0}, state_of(1), values({3}, DType::f64, 2), value, mean,
              square);
    for (const double v : value.to_vector()) CHECK(close(std::fabs(v), rate, 1e-15));
  }

  TEST_CASE("muon's parts: momentum_direction, normalise, descend") {
    for (const bool nesterov : {false, true}) {
      UpdateOptions o = options();
      o.nesterov = nesterov;
      check_rule(
          o,
          [](const UpdateOptions& given, const Tensor& state, const Tensor& gradient, const Tensor& value,
             const Tensor& first, const Tensor&) {
            ops::descend(given, state, 3, ops::momentum_direction(given, state, gradient, first), value);
          },
          [&](double g, int, Element& e) {
            e.first = 0.9 * e.first + g;
            e.value -= rate * (3 * (nesterov ? g + 0.9 * e.first : e.first) + 0.01 * e.value);
          });
    }
    for (const DType type : real_types) {
      const Tensor x = values({130, 77}, type, 1);
      std::vector<double> expected = x.to_vector();
      double squares = 0;
      for (const double v : expected) squares += v * v;
      for (double& v : expected) v /= std::sqrt(squares);
      CHECK(close(on_threads([&] { return ops::normalise(x); }), expected, tolerance_of(type)));
      const Tensor zero = Tensor::zeros({2, 3}, type),
                   large = Tensor::full({4}, type == DType::f32 ? 1e38 : 1e150, type);
      CHECK(identical(ops::normalise(zero), zero));
      CHECK(close(ops::normalise(large), std::vector<double>(4, 0.5), 1e-7));
    }
  }

  TEST_CASE("moving_average") {
    for (const DType type : real_types) {
      const Tensor value = values({size}, type, 1);
      std::vector<double> expected = values({size}, type, 2).to_vector(), v = value.to_vector();
      for (std::size_t i = 0; i < v.size(); ++i) expected[i] = 0.9 * expected[i] + 0.1 * v[i];
      CHECK(close(on_threads([&] {
                    const Tensor average = values({size}, type, 2);
                    ops::moving_average(0.9, state_of(1), value, average);
                    return average;
                  }),
                  expected, tolerance_of(type)));
    }
    const Tensor x = values({3}, DType::f32, 1);
    CHECK(mentions(message_of(ErrorCode::value, [&] { ops::moving_average(1, state_of(1), x, x); }), {"decay of 1"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { ops::moving_average(0, state_of(1), x, Tensor({4})); }),
                   {"moving_average", "the average", "4", "3"}));
  }

  TEST_CASE("no gradient yet and eps = 0: nothing moves, and nothing is NaN") {
    for (const DType type : real_types) {
      const Tensor value = values({20}, type, 1), old = value.clone(), zero = Tensor::zeros({20}, type);
      UpdateOptions o;
      o.eps = 0;
      const Tensor first = zero.clone(), second = zero.clone();
      ops::adam(o, state_of(1), zero, value, first, second);
      ops::rmsprop(o, state_of(1), zero, value, second, first);
      ops::lamb(o, state_of(1), zero, value, first, second);
      ops::lion(o, state_of(1), zero, value, first);
      CHECK(identical(value, old));
      CHECK(identical(first, zero));
      CHECK(identical(second, zero));
    }
  }

  TEST_CASE("a gradient scale that is not finite leaves values, slots and averages as they are") {
    for (const double bad : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
      const Tensor state = state_of(1, bad), gradient = values({9}, DType::f32, 4);
      const Tensor value = values({9}, DType::f32, 1), first = values({9}, DType::f32, 2),
                   second = values({9}, DType::f32, 3);
      const Tensor value_before = value.clone(), first_before = first.clone(), second_before = second.clone();
      ops::adam({}, state, gradient, value, first, second);
      ops::lamb({}, state, gradient, value, first, second);
      ops::rmsprop({}, state, gradient, value, second, first);
      ops::lion({}, state, gradient, value, first);
      const Tensor direction = ops::momentum_direction({}, state, gradient, first);
      CHECK(identical(direction, Tensor::zeros({9})));
      ops::descend({}, state, 1, gradient, value);
      ops::moving_average(0.5, state, value, first);
      CHECK(identical(value, value_before));
      CHECK(identical(first, first_before));
      CHECK(identical(second, second_before));
    }
  }

  TEST_CASE("updates: wrong shapes and types are refused by name") {
    const Tensor x = values({9}, DType::f32, 1), wide = values({9}, DType::f64, 1),
                 longer = values({10}, DType::f32, 1);
    const Tensor state = state_of(1);
    CHECK(mentions(message_of(ErrorCode::shape, [&] { ops::adam({}, state, x, x, longer, x); }),
                   {"adam", "the mean", "[10]", "[9]"}));
    CHECK(mentions(message_of(ErrorCode::dtype, [&] { ops::adam({}, state, x, x, x, wide); }), {"adam", "f32", "f64"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { ops::lamb({}, state, longer, x, x, x); }), {"lamb", "gradient"}));
    CHECK(mentions(message_of(ErrorCode::dtype, [&] { ops::lion({}, x, x, x, x); }), {"lion", "step state"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { ops::rmsprop({}, state, x, x, longer, {}); }),
                   {"rmsprop", "mean square"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { ops::descend({}, state, 1, longer, x); }),
                   {"descend", "direction"}));
  }
}

}  // namespace rz::test
