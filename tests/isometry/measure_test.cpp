#include "tools/isometry/measure.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/parallel.h"
#include "nn/models/resnet.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/small_network.h"
#include "support/testvectors.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;
using nlohmann::json;

namespace {

// The input layer belongs to the Jacobians of the file.
Part with_input_layer(const nn::Model& model) {
  Part part = stack_part(model);
  part.stages.insert(part.stages.begin(), part.before.begin(), part.before.end());
  part.before.clear();
  part.whole = {};
  return part;
}

Part without_input_layer(const nn::Model& model) {
  Part part = stack_part(model);
  part.before.clear();
  return part;
}

// Values below this are exact zeros: the reference has 25 digits of noise there.
constexpr double zero = 1e-20;

void check_values(const json& golden, const SampleSpectrum& exact, const SampleSpectrum& product) {
  const std::vector<double> sigma = numbers(golden["value"]);
  CHECK(close(exact.singular_values, sigma, 1e-12 * sigma[0]));
  CHECK(close(product.singular_values, sigma, 1e-12 * sigma[0]));
  std::int64_t zeros = 0;
  for (std::size_t i = 0; i < sigma.size(); ++i) {
    if (sigma[i] > zero) {
      CHECK(std::fabs(product.log10_singular_values[i] - std::log10(sigma[i])) <= 1e-11);
    } else {
      CHECK(product.log10_singular_values[i] == -HUGE_VAL);
      ++zeros;
    }
  }
  CHECK(product.exact_zeros == zeros);
  CHECK(product.resolved == std::ssize(sigma) - zeros);
}

const json& case_named(const std::string& name) {
  for (const json& c : reference("testvectors.json")["cases"])
    if (c["name"] == name) return c;
  REQUIRE_MESSAGE(false, name);
  return reference("testvectors.json");
}

}  // namespace

TEST_CASE("measure: the golden networks, exactly and in product form") {
  int cases = 0, with_zeros = 0;
  for (const json& golden : reference("golden.json")) {
    if (!golden["quantity"].get<std::string>().starts_with("singular values of explicit net")) continue;
    const std::string name = golden["inputs"]["case"];
    const bool mlp = name.starts_with("mlp_");
    if (!mlp && !name.starts_with("rezero_")) continue;  // transformers and convolutions
    CAPTURE(name);
    ++cases;
    const json& c = case_named(name);
    const auto model = mlp ? mlp_of(c) : rezero_of(c);
    const Part part = mlp ? with_input_layer(*model) : without_input_layer(*model);
    const Tensor x = Tensor::of({1, c["N"].get<std::int64_t>()}, numbers(c["x"]));
    const SampleSpectrum product = product_spectra(part, x)[0];
    with_zeros += product.exact_zeros > 0;
    check_values(golden, exact_spectra(part, x)[0], product);
  }
  CHECK(cases == 14);
  CHECK(with_zeros == 2);  // relu and hard_tanh
}

TEST_CASE("measure: at a = 0 the product form gives exactly 1") {
  const auto model = network({.depth = 100, .width = 12});
  for (const SampleSpectrum& s : product_spectra(stack_part(*model), normal_input({3, 8}, "x"))) {
    CHECK(s.singular_values == std::vector<double>(12, 1.0));
    CHECK(s.log10_singular_values == std::vector<double>(12, 0.0));
    CHECK(s.resolved == 12);
    CHECK(s.floor == 0);
  }
}

TEST_CASE("measure: the product form has the same bits for every number of threads [threads]") {
  nn::FullyConnectedOptions options{.depth = 5, .width = 33, .activation = ScalarFunction::tanh};
  options.residual.gate = {0.3};
  const auto model = network(options);
  const Part part = stack_part(*model);
  const Tensor x = normal_input({5, 8}, "x");
  const int before = threads();
  std::vector<std::vector<SampleSpectrum>> all;
  for (const int n : {1, 2, 3}) {
    set_threads(n);
    all.push_back(product_spectra(part, x));
  }
  set_threads(before);
  for (std::size_t k = 1; k < all.size(); ++k) {
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(all[k][i].log10_singular_values == all[0][i].log10_singular_values);
      CHECK(all[k][i].singular_values == all[0][i].singular_values);
    }
  }
}

TEST_CASE("measure: product form and exact agree for every form that is a chain") {
  int chains = 0;
  for (const nn::FormRow& form : nn::forms()) {
    CAPTURE(form.name);
    nn::FullyConnectedOptions options{.depth = 4, .width = 9};
    options.residual.form = form.form;
    options.branch = nn::default_branch(form.form);
    if (form.gated()) options.residual.gate = {0.3};
    options.activation = ScalarFunction::tanh;
    const auto model = network(options);
    if (!model->stages().chain) continue;
    ++chains;
    const Tensor x = normal_input({2, 8}, "x");
    for (const Part& part : {stack_part(*model), stack_part(*model, 1, 3), network_part(*model)}) {
      const auto exact = exact_spectra(part, x), product = product_spectra(part, x);
      for (std::size_t i = 0; i < 2; ++i)
        CHECK(close(product[i].singular_values, exact[i].singular_values, 1e-12 * exact[i].singular_values[0]));
    }
  }
  CHECK(chains == static_cast<int>(nn::forms().size()) - 1);
}

TEST_CASE("measure: parts of a stack are counted from the first hidden state") {
  const auto model = network({.depth = 3, .width = 6});
  CHECK(stack_part(*model).stages.size() == 3);
  CHECK(stack_part(*model, 1).stages.size() == 2);
  CHECK(stack_part(*model, {}, 1).before.size() == 1);
  CHECK(mentions(message_of(ErrorCode::value, [&] { stack_part(*model, 0, 4); }), {"hidden state 4", "0 to 3"}));
  CHECK(mentions(message_of(ErrorCode::value, [&] { stack_part(*model, 2, 2); }), {"2 to 2"}));
  nn::FullyConnectedOptions options{.depth = 3, .width = 6};
  options.residual.form = nn::Form::residual_scalars;
  options.branch = nn::Branch::activation_first;
  const auto looks_back = network(options);
  CHECK(stack_part(*looks_back).stages.size() == 1);
  CHECK(mentions(message_of(ErrorCode::value, [&] { stack_part(*looks_back, 1); }), {"looks back"}));
}

TEST_CASE("measure: a budget that is too small names what would do, and one that suffices gives the same") {
  const auto model = network({.depth = 3, .width = 16, .activation = ScalarFunction::tanh});
  const Tensor x = normal_input({3, 8}, "x");
  const Part part = stack_part(*model);
  std::int64_t least = 0;
  try {
    product_spectra(part, x, {.memory = 100});
  } catch (const BudgetError& error) {
    least = error.least();
  }
  REQUIRE(least > 100);
  const auto tight = product_spectra(part, x, {.memory = least}), wide = product_spectra(part, x);
  for (std::size_t i = 0; i < 3; ++i) CHECK(tight[i].log10_singular_values == wide[i].log10_singular_values);
}

TEST_CASE("measure: partial products are those of the shorter stacks") {
  nn::FullyConnectedOptions options{.depth = 6, .width = 7};
  options.residual.form = nn::Form::deep;
  options.activation = ScalarFunction::tanh;
  const auto model = network(options);
  const Tensor x = normal_input({1, 8}, "x");
  const std::size_t layers[] = {1, 4, 6};
  const auto fan = partial_spectra(stack_part(*model), x, layers);
  REQUIRE(fan.size() == 3);
  for (std::size_t k = 0; k < 3; ++k)
    CHECK(fan[k].log10_singular_values ==
          product_spectra(stack_part(*model, 0, static_cast<std::int64_t>(layers[k])), x)[0].log10_singular_values);
}

TEST_CASE("measure: with statistics of the batch one Jacobian is of all inputs, by central differences") {
  nn::ResNetOptions options{.layers = 8, .image = {.inputs = {3, 4, 4}, .outputs = 3}};
  options.residual.form = nn::Form::residual;
  nn::ResNet model(options);
  model.parameters().build(3, DType::f64);
  model.set_training(true);
  const Tensor x = normal_input({2, 3, 4, 4}, "x");
  Part part = network_part(model);
  part.batch = 2;
  CHECK(samples(part, x) == 1);
  CHECK(extents(part, x).rows == 6);
  CHECK(extents(part, x).cols == 96);
  const Tensor j = jacobian(part, x);
  const auto logits = [&](std::int64_t at, double step) {
    const Tensor moved = x.clone();
    moved.data<double>()[at] += step;
    return apply(part, Variable(moved)).value().to_vector();
  };
  constexpr double step = 1e-6;
  for (std::int64_t at = 0; at < 96; at += 5) {
    const std::vector<double> above = logits(at, step), below = logits(at, -step);
    for (std::size_t i = 0; i < 6; ++i)
      CHECK(j.data<double>()[i * 96 + static_cast<std::size_t>(at)] ==
            doctest::Approx((above[i] - below[i]) / (2 * step)).epsilon(1e-5).scale(1));
  }
  const std::vector<SampleSpectrum> exact = exact_spectra(part, x), product = product_spectra(part, x);
  REQUIRE(exact.size() == 1);
  CHECK(close(product.at(0).singular_values, exact[0].singular_values, 1e-10 * exact[0].singular_values[0]));
  Part one = network_part(model);  // a batch of one image has statistics, too: of its pixels
  one.batch = 1;
  CHECK(samples(one, x) == 2);
  CHECK(jacobian(one, x.rows(0, 1)).shape() == Shape{3, 48});
}
