#include "tools/isometry/theory/signal.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "core/error.h"
#include "support/close.h"
#include "support/reference.h"
#include "tools/isometry/theory/mean_field.h"

using namespace rz;
using namespace rz::isometry;
using namespace rz::test;

namespace {

TEST_CASE("signal: the correlation of relu networks, layer by layer") {
  const Signal signal = deep_signal(ScalarFunction::relu, std::sqrt(2.0), 0, {}, 1000);
  const auto& iterates = reference("ref01_meanfield.json").at("relu_corr_map").at("iterates_from_0");
  int entries = 0;
  for (const auto& [layer, c] : iterates.items()) {
    CHECK_MESSAGE(close(signal.c[std::stoul(layer)], number(c), 1e-13), layer);
    ++entries;
  }
  CHECK(entries == 8);
  CHECK(signal.c.size() == 1001);
  CHECK(signal.chi.size() == 1000);
  CHECK(close(signal.q, std::vector<double>(1001, 1.0), 1e-12));
  CHECK(close(signal.chi, std::vector<double>(1000, 1.0), 1e-14));
}

TEST_CASE("signal: every activation ends at its fixed points, at the rate of its depth scales") {
  for (const ScalarFunction phi : activations()) {
    const double sigma_w = phi == ScalarFunction::identity ? 0.8 : 1.35, sigma_b = 0.4;
    const MeanField m = mean_field(phi, sigma_w, sigma_b);
    if (!std::isfinite(m.q_star)) continue;
    const Signal signal = deep_signal(phi, sigma_w, sigma_b, {.q = 1, .c = -0.3}, 400);
    CHECK_MESSAGE(close(signal.q.back() / m.q_star, 1, 1e-5), info(phi).name);
    CHECK_MESSAGE(close(signal.chi.back(), m.chi_1, 1e-5), info(phi).name);
    CHECK_MESSAGE(close(signal.c.back(), m.c_star, 1e-4), info(phi).name);
  }
  const MeanField m = mean_field(ScalarFunction::tanh, 2, 0.3);
  CHECK(m.phase == Phase::chaotic);
  const Signal signal = deep_signal(ScalarFunction::tanh, 2, 0.3, {.q = m.q_star, .c = 0.9}, 40);
  const double rate = (signal.c[40] - m.c_star) / (signal.c[39] - m.c_star);
  CHECK(close(-1 / std::log(rate) / m.xi_c, 1, 1e-2));
  const Signal vanishing = deep_signal(ScalarFunction::tanh, 0.01, 0, {.q = 1, .c = 0.5}, 200);
  CHECK(vanishing.q.back() == 0);
  CHECK(close(vanishing.c.back(), vanishing.c[5], 1e-3));
}

TEST_CASE("signal: residual streams in closed form") {
  const std::vector<double> gates{0.5, 0, -0.3, 1};
  for (const nn::Branch branch : {nn::Branch::activation_first, nn::Branch::activation_last}) {
    const Signal signal = residual_signal(ScalarFunction::identity, 1.5, 0, branch, gates, {.q = 2, .c = 0.4});
    double factor = 1;
    for (std::size_t l = 0; l < gates.size(); ++l) {
      CHECK(close(signal.chi[l], 1 + gates[l] * gates[l] * 2.25, 1e-14));
      factor *= signal.chi[l];
      CHECK(close(signal.q[l + 1], 2 * factor, 1e-14));
      CHECK(close(signal.c[l + 1], 0.4, 1e-14));
    }
  }
  const double a = 0.125, sigma_w = 1.2;
  const Signal stream =
      residual_signal(ScalarFunction::relu, sigma_w, 0, nn::Branch::activation_last, std::vector<double>(64, a),
                      {.q = 1, .c = 1, .mean = 1 / std::sqrt(std::numbers::pi)});
  const double c = a * sigma_w / std::sqrt(2 * std::numbers::pi), e = a * a * sigma_w * sigma_w / 2;
  double x = 1, mean = 1 / std::sqrt(std::numbers::pi);
  for (std::size_t l = 1; l <= 64; ++l) {
    const double next = std::sqrt(x * x + 2 * c * x * mean + e * x * x);
    mean += c * x;
    x = next;
    CHECK(close(stream.q[l] / (x * x), 1, 1e-13));
    CHECK(close(stream.c[l], 1, 1e-13));
  }
}

// One wide network with real weights, two inputs.
Signal simulate(ScalarFunction phi, double sigma_w, double sigma_b, nn::Branch branch,
                const std::vector<double>& gates) {
  constexpr std::size_t n = 600;
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  std::vector<double> x(n), y(n);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = normal(random);
    y[i] = 0.3 * x[i] + std::sqrt(1 - 0.09) * normal(random);
  }
  const auto measure = [&](Signal& signal) {
    double xx = 0, yy = 0, xy = 0;
    for (std::size_t i = 0; i < n; ++i) {
      xx += x[i] * x[i] / n;
      yy += y[i] * y[i] / n;
      xy += x[i] * y[i] / n;
    }
    signal.q.push_back(xx);
    signal.c.push_back(xy / std::sqrt(xx * yy));
  };
  Signal signal;
  measure(signal);
  for (const double a : gates) {
    const bool first = branch == nn::Branch::activation_last;
    std::vector<double> in_x = x, in_y = y;
    for (std::size_t i = 0; i < n && !first; ++i) {
      in_x[i] = evaluate(phi, 0, x[i]);
      in_y[i] = evaluate(phi, 0, y[i]);
    }
    for (std::size_t i = 0; i < n; ++i) {
      double u = sigma_b * normal(random), v = u;
      for (std::size_t k = 0; k < n; ++k) {
        const double w = sigma_w / std::sqrt(static_cast<double>(n)) * normal(random);
        u += w * in_x[k];
        v += w * in_y[k];
      }
      x[i] += a * (first ? evaluate(phi, 0, u) : u);
      y[i] += a * (first ? evaluate(phi, 0, v) : v);
    }
    measure(signal);
  }
  return signal;
}

TEST_CASE("signal: residual streams of one network with 600 units") {
  const std::vector<double> gates(8, 0.4);
  for (const ScalarFunction phi : {ScalarFunction::tanh, ScalarFunction::relu}) {
    for (const nn::Branch branch : {nn::Branch::activation_first, nn::Branch::activation_last}) {
      const Signal measured = simulate(phi, 1.4, 0.2, branch, gates);
      const Signal theory = residual_signal(phi, 1.4, 0.2, branch, gates, {.q = 1, .c = 0.3});
      for (std::size_t l = 0; l <= gates.size(); ++l) {
        CHECK_MESSAGE(std::abs(measured.q[l] / theory.q[l] - 1) < 0.15, info(phi).name << " " << l);
        CHECK_MESSAGE(std::abs(measured.c[l] - theory.c[l]) < 0.07, info(phi).name << " " << l);
      }
      CHECK(theory.q.back() > 1.5);
    }
  }
}

TEST_CASE("signal: lengths that grow without end") {
  for (const ScalarFunction phi : {ScalarFunction::relu, ScalarFunction::gelu, ScalarFunction::identity}) {
    const Signal deep = deep_signal(phi, 4, 0.1, {.q = 1, .c = 0.2}, 400);
    CHECK(std::isinf(deep.q.back()));
    CHECK_MESSAGE(close(deep.q[100] / deep.q[99], deep.chi[99], 1e-4), info(phi).name);
    CHECK(deep.c.size() == 401);
    CHECK(deep.chi.size() == 400);
    CHECK(deep.c.back() <= 1);
    const Signal stream = residual_signal(phi, 2, 0, nn::Branch::activation_first, std::vector<double>(60, 1.0), {});
    CHECK_MESSAGE(close(stream.q[60] / stream.q[59], stream.chi[59], 1e-4), info(phi).name);
  }
  // Where phi begins to count as straight, nothing jumps.
  for (const ScalarFunction phi : {ScalarFunction::gelu, ScalarFunction::silu}) {
    const Signal below = deep_signal(phi, 1.5, 0, {.q = 9999, .c = 0.5}, 1);
    const Signal above = deep_signal(phi, 1.5, 0, {.q = 10001, .c = 0.5}, 1);
    CHECK_MESSAGE(close(above.c[1], below.c[1], 1e-4), info(phi).name);
  }
}

TEST_CASE("signal: refusals") {
  const auto refused = [](const SignalStart& start, nn::Branch branch) {
    return message_of(ErrorCode::value,
                      [&] { residual_signal(ScalarFunction::tanh, 1, 0, branch, std::vector{0.1}, start); });
  };
  CHECK(mentions(refused({.q = -1}, nn::Branch::activation_last), {"q = -1"}));
  CHECK(mentions(refused({.c = 1.5}, nn::Branch::activation_last), {"correlation 1.5"}));
  CHECK(mentions(refused({.mean = 2}, nn::Branch::activation_last), {"mean of 2"}));
  CHECK(mentions(refused({.mean = 0.5}, nn::Branch::activation_first), {"mean", "phi(W x + b)"}));
  CHECK(mentions(message_of(ErrorCode::value, [] { deep_signal(ScalarFunction::tanh, 1, 0, {}, -1); }), {"-1 layers"}));
}

}  // namespace
