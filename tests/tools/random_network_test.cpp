// Random networks at the start against exact results at finite width: expectations over the weights, with N(0,
// sigma_w^2 / N) entries.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "autograd/transforms.h"
#include "nn/models/fully_connected.h"
#include "support/close.h"
#include "support/inputs.h"
#include "tools/isometry/spectrum.h"

using namespace rz;
using namespace rz::test;

namespace {

nn::FullyConnectedOptions random_network(Scalar activation, std::int64_t width, std::int64_t depth, double sigma_w) {
  nn::FullyConnectedOptions options;
  options.inputs = Shape{width};
  options.width = width;
  options.depth = depth;
  options.residual.form = nn::Form::deep;
  options.activation = activation;
  options.init = "lecun_normal";
  options.sigma_w = sigma_w;
  return options;
}

isometry::Summary stack_summary(const nn::FullyConnectedOptions& options, std::uint64_t seed) {
  nn::FullyConnected network(options);
  network.parameters().build(seed, DType::f64);
  const nn::Stages stages = network.stages();
  const auto stack = [&](const Variable& x) {
    Variable y = x;
    for (const Function& stage : stages.stages) y = stage(y);
    return y;
  };
  const Tensor x = normal_input(options.inputs.prepended(1), "network" + std::to_string(seed));
  const Tensor j = jacobian(stack, stages.input(x).value());
  return isometry::summarize(std::vector{isometry::spectrum(j)});
}

// Whether the mean of f(seed) over 20 seeds lies within 4 standard errors of `expected`.
template <class F>
Comparison agrees(double expected, F&& f) {
  constexpr int n = 20;
  double mean = 0, squares = 0;
  for (int seed = 1; seed <= n; ++seed) {
    const double value = f(static_cast<std::uint64_t>(seed)), step = value - mean;
    mean += step / seed;
    squares += step * (value - mean);
  }
  const double error = std::sqrt(squares / (n * (n - 1.0)));
  return {std::abs(mean - expected) <= 4 * error,
          std::to_string(mean) + " +- " + std::to_string(error) + ", expected " + std::to_string(expected)};
}

// psi(k / 2), from psi(1/2) = -gamma - 2 ln 2, psi(1) = -gamma and psi(x + 1) = psi(x) + 1/x.
double digamma_of_half(int k) {
  double value = -std::numbers::egamma - (k % 2 == 1 ? 2 * std::numbers::ln2 : 0);
  for (double x = k % 2 == 1 ? 0.5 : 1; x < k / 2.0; ++x) value += 1 / x;
  return value;
}

TEST_CASE("random networks: E tr(J J^T) / N = sigma_w^(2 L) of linear ones") {
  CHECK(agrees(1, [](std::uint64_t seed) {
    return stack_summary(random_network(ScalarFunction::identity, 128, 10, 1), seed).mean_square;
  }));
  CHECK(agrees(std::pow(1.1, 20), [](std::uint64_t seed) {
    return stack_summary(random_network(ScalarFunction::identity, 128, 10, 1.1), seed).mean_square;
  }));
}

TEST_CASE("random networks: E tr(J J^T) / N = (sigma_w^2 / 2)^L of ReLU ones") {
  const double critical = std::numbers::sqrt2;
  CHECK(agrees(1, [&](std::uint64_t seed) {
    return stack_summary(random_network(ScalarFunction::relu, 128, 10, critical), seed).mean_square;
  }));
  nn::FullyConnectedOptions options = random_network(ScalarFunction::relu, 128, 10, critical);
  options.branch = nn::Branch::activation_first;
  options.sigma_b = 0.3;  // symmetric biases change nothing
  CHECK(agrees(1, [&](std::uint64_t seed) { return stack_summary(options, seed).mean_square; }));
}

TEST_CASE("random networks: E mean ln sigma of linear ones, from digamma functions") {
  constexpr int width = 32, depth = 4;
  double expected = 0;
  for (int k = 1; k <= width; ++k) expected += depth * 0.5 * (digamma_of_half(k) + std::log(2.0 / width)) / width;
  CHECK(agrees(expected, [&](std::uint64_t seed) {
    const isometry::Summary summary = stack_summary(random_network(ScalarFunction::identity, width, depth, 1), seed);
    CHECK(summary.rank == width);  // all resolved
    return summary.mean_log;
  }));
}

TEST_CASE("random networks: with ReZero's a = 0 every singular value of the stack is exactly 1") {
  for (const std::int64_t depth : {1, 64, 1000}) {
    nn::FullyConnectedOptions options;
    options.inputs = Shape{8};
    options.width = 48;
    options.depth = depth;
    const isometry::Summary summary = stack_summary(options, 1);
    CHECK(summary.min == 1);
    CHECK(summary.max == 1);
    CHECK(summary.rank == 48);
  }
}

}  // namespace
