// Residual laws along lengths that change with depth: many distinct layers.
#include "tools/isometry/theory/random_net.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "tools/isometry/theory/slope_law.h"

using namespace rz;
using namespace rz::isometry;

namespace {

RandomNet tanh_net(std::vector<double> gates) {
  RandomNet net{.activation = ScalarFunction::tanh};
  net.depth = static_cast<std::int64_t>(gates.size());
  net.gates = std::move(gates);
  net.order = nn::Branch::activation_first;
  return net;
}

TheorySpectrum layer_by_layer(const RandomNet& net) {
  const std::vector<SignalTheory> path = signal_theory(net, net.q_0, 0);
  std::vector<ResidualLayerLaw> layers;
  for (std::size_t l = 0; l < net.gates.size(); ++l)
    layers.push_back({{net.activation, path[l].q, net.sigma_w, net.weights, 1}, net.gates[l]});
  return residual_law(layers, net.order).summary();
}

void check_close(const TheorySpectrum& s, const TheorySpectrum& expected, double error) {
  CHECK(s.mean == doctest::Approx(expected.mean).epsilon(error));
  CHECK(s.variance_over_mean2 == doctest::Approx(expected.variance_over_mean2).epsilon(error));
  CHECK(s.s_max == doctest::Approx(expected.s_max).epsilon(error));
  CHECK(s.s_min == doctest::Approx(expected.s_min).epsilon(error));
}

TEST_CASE("slope law: psi and its slope where chi comes near the end of the support") {
  for (const double q : {0.3, 1.0, 1.0148329661702236, 4.0}) {
    const double scale = 0.0025;
    const SlopeLaw law(ScalarFunction::tanh, q, scale);
    for (double beyond = 1e-11; beyond < 10; beyond *= 3) {  // y = 1 / chi = (1 + beyond) sup d^2
      // d^2 = scale / cosh(x)^4. z = width sinh t resolves the peak at 0, whose width is about sqrt(beyond / (2 q)).
      const double width = std::sqrt(beyond / (2 * q)), h = 0.02;
      double psi = 0, slope = 0;
      for (int k = 0; width * std::sinh(k * h) < 9; ++k) {
        const double z = width * std::sinh(k * h), t2 = std::pow(std::tanh(std::sqrt(q) * z), 2);
        const double d2 = (1 - t2) * (1 - t2), gap = beyond + t2 * (2 - t2);  // of sup d^2
        const double mass =
            (k == 0 ? 1 : 2) * h * width * std::cosh(k * h) * std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
        psi += mass * d2 / gap;
        slope += mass * d2 * (1 + beyond) / (gap * gap);
      }
      const SlopeLaw::Value at = law.psi(-std::log(scale * (1 + beyond)));
      CAPTURE(q);
      CAPTURE(beyond);
      // The polynomial that stands for ln d^2 errs by a few 1e-15, of the distance `beyond`.
      CHECK(at.psi.real() == doctest::Approx(psi).epsilon(1e-8 + 1e-14 / beyond));
      CHECK(at.slope.real() == doctest::Approx(slope).epsilon(1e-8 + 3e-14 / beyond));
    }
  }
}

TEST_CASE("law of a random net: the ends of many distinct layers are nearly each other's inverse") {
  const std::pair<std::size_t, double> cases[] = {{16, 0.05}, {64, 0.05}, {20, 1e-4}};
  for (const auto& [depth, gate] : cases) {
    const TheorySpectrum s = layer_by_layer(tanh_net(std::vector<double>(depth, gate)));
    CHECK(s.s_min == doctest::Approx(1 / s.s_max).epsilon(std::min(5e-3, gate)));
  }
}

TEST_CASE("law of a random net: nearly equal layers are as good as equal ones") {
  const double q = 1.01, gate = 0.05;
  std::vector<ResidualLayerLaw> layers;
  for (int l = 0; l < 24; ++l)
    layers.push_back({{ScalarFunction::tanh, q + 1e-4 * (l - 11.5), 1, Weights::gaussian, 1}, gate});
  const ResidualLayerLaw equal{{ScalarFunction::tanh, q, 1, Weights::gaussian, 24}, gate};
  check_close(residual_law(layers, nn::Branch::activation_first).summary(),
              residual_law({&equal, 1}, nn::Branch::activation_first).summary(), 1e-7);
}

TEST_CASE("law of a random net: groups of layers stand for all of them") {
  const RandomNet equal = tanh_net(std::vector<double>(32, 0.1));
  check_close(law_of(equal).summary(), layer_by_layer(equal), 2e-5);
  RandomNet few = tanh_net(std::vector<double>(18, 0.1));  // gates of different signs and sizes
  for (std::size_t l = 0; l < few.gates.size(); ++l) few.gates[l] *= l % 3 == 0 ? 0.5 : -1;
  check_close(law_of(few).summary(), layer_by_layer(few), 2e-4);
  RandomNet scattered = tanh_net(std::vector<double>(16));
  for (std::size_t l = 0; l < scattered.gates.size(); ++l)
    scattered.gates[l] = 0.1 * (1 + std::sin(7.3 * static_cast<double>(l)));
  check_close(law_of(scattered).summary(), layer_by_layer(scattered), 2e-3);
}

TEST_CASE("law of a random net: no more layers than groups are taken one by one") {
  const RandomNet net = tanh_net({0.1, -0.2, 0, 0.1, 0.3, 0.05, 0});
  check_close(law_of(net).summary(), layer_by_layer(net), 1e-12);
}

TEST_CASE("law of a random net: many layers take no longer than few") {
  RandomNet net{.activation = ScalarFunction::tanh, .depth = 20000};
  const double gate = gate_of(net, 0.5);
  net.gates.assign(20000, gate);
  const TheorySpectrum s = law_of(net).summary();
  CHECK(s.mean == doctest::Approx(std::exp(0.5)).epsilon(1e-4));
  CHECK(s.s_max * s.s_min == doctest::Approx(1).epsilon(1e-3));
}

TEST_CASE("law of a random net: lengths that grow to any size end at two straight lines") {
  RandomNet net{.activation = ScalarFunction::gelu, .depth = 1};
  RandomNet relu = net;
  relu.activation = ScalarFunction::relu;
  net.order = relu.order = nn::Branch::activation_last;
  net.gates = relu.gates = {0.3};
  const TheorySpectrum straight = law_of(relu).summary();
  for (const double q : {1e7, 1e12, 1e60, 1e199}) {
    net.q_0 = q;
    const TheorySpectrum s = law_of(net).summary();
    CAPTURE(q);
    CHECK(s.mean == doctest::Approx(straight.mean).epsilon(1e-3));
    CHECK(s.variance_over_mean2 == doctest::Approx(straight.variance_over_mean2).epsilon(1e-3));
  }
  net.depth = relu.depth = 3000;
  net.gates.assign(3000, 2.0);  // beyond all doubles
  relu.gates = net.gates;
  CHECK(law_of(net).summary().mean_log_sigma == doctest::Approx(law_of(relu).summary().mean_log_sigma).epsilon(1e-3));
}

TEST_CASE("slope law: the largest slope where arguments are large, and sin") {
  CHECK(SlopeLaw(ScalarFunction::gelu, 1e6, 1).supremum() == doctest::Approx(1.12890414518516 * 1.12890414518516));
  const SlopeLaw law(ScalarFunction::sin, 1e6, 1);
  CHECK(law.mean() == doctest::Approx(0.5).epsilon(1e-12));
  CHECK(law.relative_variance() == doctest::Approx(0.5).epsilon(1e-12));
}

}  // namespace
