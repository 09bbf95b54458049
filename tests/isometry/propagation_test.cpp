#include "tools/isometry/propagation.h"

#include <doctest/doctest.h>

#include <cmath>

#include "nn/models/char_transformer.h"
#include "nn/models/fully_connected.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/small_network.h"
#include "tools/isometry/part.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

nn::FullyConnectedOptions tanh_network(std::int64_t depth, std::int64_t width) {
  nn::FullyConnectedOptions options{.depth = depth, .width = width};
  options.residual.form = nn::Form::deep;
  options.activation = ScalarFunction::tanh;
  options.branch = nn::Branch::activation_first;
  options.init = "mean_field";
  options.sigma_w = 1.2;
  options.sigma_b = 0.1;
  return options;
}

double square(double x) { return x * x; }

}  // namespace

TEST_CASE("propagation: gates at 0 pass every signal and gradient as it is") {
  const auto model = network({.depth = 20, .width = 16});
  Random random(1, stream_named("propagation"));
  const auto signals = measure_signal(*model, normal_input({3, 8}, "x"), random);
  REQUIRE(signals.size() == 21);
  for (std::size_t l = 0; l < signals.size(); ++l) {
    REQUIRE(signals[l].size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(signals[l][i].q == signals[0][i].q);
      CHECK(signals[l][i].c == signals[0][i].c);
      CHECK(signals[l][i].apjn == 1.0);
      CHECK(signals[l][i].gradient_norm == doctest::Approx(1).epsilon(1e-14));
      CHECK(std::isnan(signals[l][i].branch_ratio) == (l == 0));
    }
  }
}

TEST_CASE("propagation: values, APJN and gradients are those of the explicit Jacobians") {
  const auto model = network(tanh_network(5, 12));
  const Tensor x = normal_input({2, 8}, "x");
  Random random(1, stream_named("propagation"));
  const auto signals = measure_signal(*model, x, random, 20000);
  for (std::int64_t l = 0; l <= 5; ++l) {
    for (std::int64_t i = 0; i < 2; ++i) {
      const LayerSignal& signal = signals[static_cast<std::size_t>(l)][static_cast<std::size_t>(i)];
      double norm = 12, value = 0;
      if (l > 0) {
        norm = 0;
        for (const double j : jacobian(stack_part(*model, 0, l), x.rows(i, 1)).to_vector()) norm += j * j;
      }
      const Tensor h = l == 0
                           ? input_of(stack_part(*model), x.rows(i, 1))
                           : apply(stack_part(*model, 0, l), input_of(stack_part(*model, 0, l), x.rows(i, 1))).value();
      for (const double v : h.to_vector()) value += v * v;
      CHECK(signal.q == doctest::Approx(value / 12).epsilon(1e-12));
      CHECK(signal.apjn == doctest::Approx(norm / 12).epsilon(0.02));
    }
  }
}

TEST_CASE("propagation: cosines between inputs, with themselves and their opposites") {
  nn::FullyConnectedOptions options = tanh_network(4, 10);
  options.sigma_b = 0;  // then the network is odd
  const auto model = network(options);
  const Tensor one = normal_input({1, 8}, "x");
  std::vector<double> values = one.to_vector();
  for (int sign : {1, -1})
    for (int k = 0; k < 8; ++k) values.push_back(sign * values[static_cast<std::size_t>(k)]);
  Random random(1, stream_named("propagation"));
  for (const auto& layer : measure_signal(*model, Tensor::of({3, 8}, values), random)) {
    CHECK(layer[0].c == doctest::Approx(0).epsilon(1e-14));
    CHECK(layer[2].c == doctest::Approx(-1).epsilon(1e-14));
  }
  Random again(1, stream_named("propagation"));
  CHECK(std::isnan(measure_signal(*model, one, again)[0][0].c));
}

TEST_CASE("propagation: the gradient's mean square is APJN from the layer to the last") {
  const auto model = network(tanh_network(3, 10));
  const Tensor x = normal_input({1, 8}, "x");
  std::vector<double> sums(4);
  constexpr int draws = 4000;
  Random random(1, stream_named("propagation"));
  for (int k = 0; k < draws; ++k) {
    const auto signals = measure_signal(*model, x, random, 1);
    for (std::size_t l = 0; l < 4; ++l) sums[l] += square(signals[l][0].gradient_norm) / draws;
  }
  for (std::int64_t l = 0; l < 3; ++l) {
    double norm = 0;
    for (const double j : jacobian(stack_part(*model, l, 3), x).to_vector()) norm += j * j / 10;
    CHECK(sums[static_cast<std::size_t>(l)] == doctest::Approx(norm).epsilon(0.06));
  }
  CHECK(sums[3] == doctest::Approx(1).epsilon(1e-12));
}

TEST_CASE("propagation: means and standard errors over draws, or over the inputs of a single one") {
  const Estimate e = mean_of({1, 2, 3, 6});
  CHECK(e.value == 3);
  CHECK(e.standard_error == doctest::Approx(std::sqrt(14.0 / 12)));
  CHECK(std::isnan(mean_of({5}).standard_error));
  const auto layer = [](double a, double b) {
    return std::vector<std::vector<LayerSignal>>{{LayerSignal{.q = a}, LayerSignal{.q = b}}};
  };
  CHECK(signal_statistics({layer(1, 3)})[0].q.standard_error == 1);
  const LayerStatistics two = signal_statistics({layer(1, 3), layer(3, 5)})[0];
  CHECK(two.q.value == 3);
  CHECK(two.q.standard_error == 1);  // of 2 and 4
  CHECK_THROWS_AS(signal_statistics({}), Error);
}

namespace {

// With query weights and biases of 0: every key that is seen gets the same weight.
template <class Model, class Options>
Model without_queries(const Options& options) {
  Model model(options);
  model.parameters().build(5, DType::f64);
  model.set_training(false);
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = std::is_same_v<Model, nn::EncoderModel> ? "layers." : "transformer_encoder.layers.";
    const Tensor weight = model.parameters().find(prefix + std::to_string(layer) + ".self_attn.in_proj_weight").value();
    weight.rows(0, 8).copy_from(Tensor::zeros({8, 8}, DType::f64));
  }
  return model;
}

const nn::TransformerOptions two_layers{
    .layers = 2, .d_model = 8, .heads = 2, .feed_forward = 12, .residual = {.form = nn::Form::post_norm}};

}  // namespace

TEST_CASE("propagation: equal attention has the entropy of the uniform distribution over what is seen") {
  Random random(1, stream_named("propagation"));
  auto all = without_queries<nn::EncoderModel>(nn::TransformerStackOptions{two_layers, 5});
  const auto seen = measure_signal(all, normal_input({2, 5, 8}, "x"), random, 1);
  CHECK(std::isnan(seen[0][1].attention_entropy));
  for (const std::size_t l : {1U, 2U})
    CHECK(seen[l][1].attention_entropy == doctest::Approx(std::log(5)).epsilon(1e-12));
  nn::HeldInputs held;
  held.key_mask = Tensor::of({2, 5}, std::vector<double>{0, 0, 0, 0, 0, -INFINITY, 0, -INFINITY, 0, 0});
  all.hold(held);
  const auto masked = measure_signal(all, normal_input({2, 5, 8}, "x"), random, 1);
  CHECK(masked[2][0].attention_entropy == doctest::Approx(std::log(5)).epsilon(1e-12));
  CHECK(masked[2][1].attention_entropy == doctest::Approx(std::log(3)).epsilon(1e-12));
  auto causal = without_queries<nn::CharTransformer>(nn::CharTransformerOptions{two_layers, 11, 5});
  const auto one =
      measure_signal(causal, Tensor::of({1, 5}, std::vector<double>{1, 2, 3, 4, 5}, DType::i64), random, 1);
  CHECK(one[1][0].attention_entropy == doctest::Approx(std::log(120) / 5).epsilon(1e-12));
}

TEST_CASE("propagation: the cosine of tokens, by pairs, and 1 where they are equal") {
  Random random(1, stream_named("propagation"));
  nn::EncoderModel model(nn::TransformerStackOptions{two_layers, 3});
  model.parameters().build(5, DType::f64);
  const std::vector<double> x = normal_input({3, 8}, "tokens").to_vector();
  std::vector<double> both = x;  // the first input; the second has three times one token
  for (int k = 0; k < 24; ++k) both.push_back(x[static_cast<std::size_t>(k % 8)]);
  const auto signals = measure_signal(model, Tensor::of({2, 3, 8}, both), random, 1);
  double sum = 0;
  for (const auto& [a, b] : {std::pair{0, 1}, {0, 2}, {1, 2}}) {
    double products = 0, of_a = 0, of_b = 0;
    for (int k = 0; k < 8; ++k) {
      const double u = x[static_cast<std::size_t>(8 * a + k)], v = x[static_cast<std::size_t>(8 * b + k)];
      products += u * v;
      of_a += u * u;
      of_b += v * v;
    }
    sum += products / std::sqrt(of_a * of_b) / 3;
  }
  CHECK(signals[0][0].token_cosine == doctest::Approx(sum).epsilon(1e-12));
  for (const auto& layer : signals) CHECK(layer[1].token_cosine == doctest::Approx(1).epsilon(1e-12));
  const auto fc = measure_signal(*network({.depth = 2, .width = 16}), normal_input({3, 8}, "x"), random);
  CHECK(std::isnan(fc[1][0].token_cosine));
  CHECK(std::isnan(fc[1][0].attention_entropy));
}
