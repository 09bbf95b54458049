#include "nn/attention.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/ops.h"
#include "nn/init.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/reference.h"

namespace {
using namespace rz;
using namespace rz::test;

// Element i of array number n: factor sin(0.7 i + n).
std::vector<double> wave_values(std::size_t count, double number, double factor) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = factor * std::sin(0.7 * static_cast<double>(i) + number);
  return values;
}
Tensor wave(const Shape& shape, double number, DType dtype, double factor = 1) {
  return Tensor::of(shape, wave_values(static_cast<std::size_t>(shape.elements()), number, factor), dtype);
}

Tensor mask_of(const nlohmann::json& values, const Shape& shape, DType dtype) {
  if (values.empty()) return {};
  std::vector<double> all;
  for (const nlohmann::json& v : values)
    all.push_back(v.is_string() ? -std::numeric_limits<double>::infinity() : v.get<double>());
  return Tensor::of(shape, all, dtype);
}

struct Layer {
  ParameterStore store;
  nn::MultiheadAttention attention;
  explicit Layer(const nn::MultiheadAttentionOptions& options) : attention(store, "attention", options) {}
};

void check_case(const nlohmann::json& file, const nlohmann::json& expected, DType dtype, double tolerance) {
  const std::int64_t batch = file["shape"][0], tokens = file["shape"][1], d_model = file["shape"][2];
  const std::int64_t keys = expected["cross"].get<bool>() ? file["keys"].get<std::int64_t>() : tokens;
  Layer layer({.d_model = d_model, .heads = file["heads"]});
  layer.store.build(1, dtype);
  for (int i = 0; i < layer.store.size(); ++i)
    layer.store[i].value().copy_from(wave(layer.store[i].shape(), i, dtype, 0.5));
  const nn::AttentionCall call{.causal = expected["causal"],
                               .mask = mask_of(expected["mask"], {tokens, keys}, dtype),
                               .key_mask = mask_of(expected["key_mask"], {batch, keys}, dtype)};
  Tape tape;
  const Variable x = tape.leaf(wave({batch, tokens, d_model}, 10, dtype));
  const Variable memory = tape.leaf(wave({batch, keys, d_model}, 11, dtype));
  const Variable y = expected["cross"] ? layer.attention.forward(x, memory, call) : layer.attention.forward(x, call);
  tape.backward(y, wave(y.shape(), 12, dtype));
  CHECK(close(y.value(), numbers(expected["y"]), tolerance));
  CHECK(close(tape.gradient(x), numbers(expected["d_x"]), tolerance));
  if (expected["cross"]) CHECK(close(tape.gradient(memory), numbers(expected["d_memory"]), tolerance));
  for (int i = 0; i < layer.store.size(); ++i) {
    const std::string name = layer.store[i].name().substr(std::string("attention.").size());
    CAPTURE(name);
    CHECK(close(layer.store[i].gradient(), numbers(expected["d_" + name]), tolerance));
  }
}
}  // namespace

TEST_SUITE("nn/attention") {
  TEST_CASE("attention: outputs and gradients are those of torch.nn.MultiheadAttention") {
    const nlohmann::json& file = reference("../nn/reference/attention.json");
    for (const auto& [name, expected] : file["cases"].items()) {
      INFO(name);
      check_case(file, expected, DType::f64, 1e-12);
      check_case(file, expected, DType::f32, 3e-5);
    }
  }

  TEST_CASE("attention: rows of a parameter add up with the whole, in the rows of its gradient") {
    ParameterStore store;
    const Parameter w = store.declare("w", {3, 2}, Role::weight, nn::init::constant(1));
    store.build(1, DType::f64);
    const auto backward = [&](const std::function<Variable()>& f, bool accumulate) {
      Tape tape;
      tape.backward(f(), accumulate);
      return w.gradient().to_vector();
    };
    const auto row = [&] { return sum(square(w.rows(1, 1))); };
    CHECK(backward(row, false) == std::vector<double>{0, 0, 2, 2, 0, 0});
    CHECK(backward(row, true) == std::vector<double>{0, 0, 4, 4, 0, 0});
    const auto both = [&] { return add(sum(w), add(sum(w.rows(0, 2)), sum(w.rows(0, 1)))); };
    CHECK(backward(both, false) == std::vector<double>{3, 3, 2, 2, 1, 1});
  }

  TEST_CASE("attention: starts; beta scales values and output alone") {
    const std::int64_t d = 32;
    Layer plain({.d_model = d, .heads = 4}), scaled({.d_model = d, .heads = 4, .beta = 0.5});
    plain.store.build(1, DType::f64);
    scaled.store.build(1, DType::f64);
    const Tensor in = plain.store.find("attention.in_proj_weight").value(),
                 half = scaled.store.find("attention.in_proj_weight").value();
    double largest = 0;
    for (const double v : in.to_vector()) largest = std::fmax(largest, std::fabs(v));
    const double bound = std::sqrt(6.0 / static_cast<double>(4 * d));
    CHECK(largest <= bound);
    CHECK(largest > 0.99 * bound);
    CHECK(identical(half.rows(0, 2 * d), in.rows(0, 2 * d)));
    CHECK(identical(half.rows(2 * d, d), ops::scale(0.5, in.rows(2 * d, d))));
    CHECK(identical(scaled.store.find("attention.out_proj.weight").value(),
                    ops::scale(0.5, plain.store.find("attention.out_proj.weight").value())));
    for (const char* bias : {"attention.in_proj_bias", "attention.out_proj.bias"})
      for (const double v : plain.store.find(bias).value().to_vector()) CHECK(v == 0);
  }

  TEST_CASE("attention: dropout is active with a source alone, and the same at the same step") {
    Layer layer({.d_model = 8, .heads = 2, .dropout = 0.5});
    layer.store.build(1, DType::f64);
    const Variable x(normal_input({2, 5, 8}, "x"));
    StepState state;
    state.set(3, 0);
    const auto dropped = [&] { return layer.attention.forward(x, {.dropout = {.seed = 1, .state = &state}}).value(); };
    const Tensor first = dropped();
    CHECK(identical(first, dropped()));
    CHECK_FALSE(close(first, layer.attention.forward(x).value(), 1e-3).holds);
    state.set(4, 0);
    CHECK_FALSE(close(first, dropped(), 1e-3).holds);
  }

  TEST_CASE("attention: a probe sees the weights: times the values they are the output, which does not change") {
    Layer layer({.d_model = 6, .heads = 2});
    layer.store.build(1, DType::f64);
    const Tensor identity = Tensor::identity(6, DType::f64);  // so that the output is that of the heads
    layer.store.find("attention.out_proj.weight").value().copy_from(identity);
    const Tensor x = normal_input({2, 4, 6}, "attention probe");
    nn::AttentionCall call{.causal = true};
    call.mask = Tensor::of({4, 4}, std::vector<double>{0, 0, 0, 0, 1, 2, 0, 0, -1, 0, 3, 0, 0, 0.5, 0, 0});
    call.key_mask = Tensor::of({2, 4}, std::vector<double>{0, 0, 0, 0, -INFINITY, 0, 0, -INFINITY});
    const Tensor alone = layer.attention.forward(Variable(x), call).value();
    Tensor weights, qkv;
    {
      const nn::AttentionProbe probe([&](const nn::SelfAttentionValues& values) {
        weights = nn::attention_weights(values);
        qkv = values.qkv.clone();
      });
      CHECK(identical(layer.attention.forward(Variable(x), call).value(), alone));
    }
    REQUIRE(weights.shape() == Shape{2, 2, 4, 4});
    std::vector<double> expected(2 * 4 * 6, 0);
    for (std::int64_t b = 0; b < 2; ++b)
      for (std::int64_t i = 0; i < 4; ++i)
        for (std::int64_t c = 0; c < 6; ++c)
          for (std::int64_t j = 0; j < 4; ++j)
            expected[static_cast<std::size_t>((b * 4 + i) * 6 + c)] +=
                weights.data<double>()[((b * 2 + c / 3) * 4 + i) * 4 + j] *
                qkv.data<double>()[(b * 4 + j) * 18 + 12 + c];
    CHECK(close(alone, Tensor::of({2, 4, 6}, expected), 1e-13));
    for (std::int64_t j = 0; j < 4; ++j) CHECK(weights.data<double>()[2 * 4 * 4 + j] == 0);  // sees no key
    weights = Tensor();
    layer.attention.forward(Variable(x), call);
    CHECK(!weights.defined());
  }

  TEST_CASE("attention: mistakes are named") {
    CHECK(mentions(message_of(ErrorCode::value, [] { Layer({.d_model = 6, .heads = 4}); }), {"4 heads", "6"}));
    CHECK(mentions(message_of(ErrorCode::value, [] { Layer({.d_model = 6, .heads = 2, .dropout = 1}); }),
                   {"dropout of 1"}));
    Layer layer({.d_model = 6, .heads = 2});
    layer.store.build(1, DType::f64);
    const Variable x(Tensor::zeros({2, 3, 6}, DType::f64)), memory(Tensor::zeros({1, 3, 6}, DType::f64));
    const auto refused = [&](const nn::AttentionCall& call) {
      return message_of(ErrorCode::shape, [&] { layer.attention.forward(x, call); });
    };
    CHECK(mentions(refused({.mask = Tensor::zeros({3, 4}, DType::f64)}), {"the mask", "[3, 4]", "[3, 3]"}));
    CHECK(mentions(refused({.key_mask = Tensor::zeros({3}, DType::f64)}), {"the mask of keys", "[3]", "[2, 3]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { layer.attention.forward(x, memory); }),
                   {"[2, 3, 6]", "[1, 3, 6]", "batch"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { layer.attention.forward(Variable(Tensor::zeros({3, 6}))); }),
                   {"x [3, 6]", "[batch, tokens, 6]"}));
  }
}
