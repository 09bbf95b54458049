#include "tools/isometry/theory/random_net.h"

#include <cmath>

#include "core/error.h"
#include "tools/isometry/theory/signal.h"
#include "tools/isometry/theory/two_point.h"

namespace rz::isometry {
namespace {

// The variance of f's argument in layer l = 1 ... depth of a residual net. Where f' does not depend on it, 1.
std::vector<double> arguments_of(const RandomNet& net) {
  if (is_homogeneous(net.activation)) return std::vector<double>(net.gates.size(), 1.0);
  const double w2 = net.sigma_w * net.sigma_w, b2 = net.sigma_b * net.sigma_b;
  const std::vector<SignalTheory> path = signal_theory(net, net.q_0, 0);
  std::vector<double> q;
  for (std::size_t l = 0; l < net.gates.size(); ++l)
    q.push_back(net.order == nn::Branch::activation_first ? path[l].q : w2 * path[l].q + b2);
  return q;
}

Law deep_law_of(const RandomNet& net) {
  double q = 1;
  if (!is_homogeneous(net.activation)) {
    q = mean_field(net).q_star;
    RZ_CHECK(value, std::isfinite(q),
             "theory: squared lengths of {} with sigma_w {} and sigma_b {} have no fixed point, so there is no law",
             info(net.activation.function).name, net.sigma_w, net.sigma_b);
  }
  const LayerLaw layers[] = {{net.activation, q, net.sigma_w, net.weights, net.depth}};
  return deep_law(layers);
}

SignalStart start_of(const RandomNet& net, double q_0, double c_0) {
  return {.q = q_0, .c = c_0, .mean = net.order == nn::Branch::activation_last ? net.mean_0 : 0};
}

// Of x = f(h), where signal is that of h.
std::vector<SignalTheory> after_activation(const RandomNet& net, double q_0, double c_0) {
  const double w2 = net.sigma_w * net.sigma_w, b2 = net.sigma_b * net.sigma_b, first = w2 * q_0 + b2;
  const Signal h = deep_signal(net.activation, net.sigma_w, net.sigma_b,
                               {.q = first, .c = first > 0 ? (w2 * q_0 * c_0 + b2) / first : 0}, net.depth);
  std::vector<SignalTheory> path{{q_0, c_0, 1}};
  for (std::size_t l = 0; l < h.chi.size(); ++l) {
    const double q = moments(net.activation, h.q[l]).second;
    const double c = h.q[l] > 0 ? TwoPoint(net.activation, h.q[l]).at(h.c[l]).value / q : path.back().c;
    path.push_back({q, c, h.chi[l]});
  }
  return path;
}

}  // namespace

std::vector<SignalTheory> signal_theory(const RandomNet& net, double q_0, double c_0) {
  if (!net.residual() && net.order == nn::Branch::activation_last) return after_activation(net, q_0, c_0);
  const Signal signal =
      net.residual()
          ? residual_signal(net.activation, net.sigma_w, net.sigma_b, net.order, net.gates, start_of(net, q_0, c_0))
          : deep_signal(net.activation, net.sigma_w, net.sigma_b, {.q = q_0, .c = c_0}, net.depth);
  std::vector<SignalTheory> path;
  for (std::size_t l = 0; l < signal.q.size(); ++l)
    path.push_back({signal.q[l], signal.c[l], l == 0 ? 1 : signal.chi[l - 1]});
  return path;
}

MeanField mean_field(const RandomNet& net) {
  return std::isnan(net.q_star) ? mean_field(net.activation, net.sigma_w, net.sigma_b)
                                : mean_field_at(net.activation, net.sigma_w, net.sigma_b, net.q_star);
}

Law law_of(const RandomNet& net) {
  if (!net.residual()) return deep_law_of(net);
  const std::vector<double> q = arguments_of(net);
  std::vector<ResidualLayerLaw> layers;
  for (std::size_t l = 0; l < q.size(); ++l) {
    if (!layers.empty() && layers.back().gate == net.gates[l] && layers.back().branch.q == q[l]) {
      ++layers.back().branch.count;
    } else {
      layers.push_back({{net.activation, q[l], net.sigma_w, net.weights, 1}, net.gates[l]});
    }
  }
  return residual_law(layers, net.order);
}

double gate_of(RandomNet net, double t) {
  RZ_CHECK(value, net.sigma_w > 0, "theory: with sigma_w = 0 no gate gives t = {}", t);
  const auto t_at = [&](double gate) {
    net.gates.assign(static_cast<std::size_t>(net.depth), gate);
    double sum = 0;
    for (const double q : arguments_of(net)) sum += mu(net.activation, 1, q);
    return gate * gate * net.sigma_w * net.sigma_w * sum;
  };
  if (t == 0) return 0;
  const double first = std::sqrt(t / t_at(1));
  if (is_homogeneous(net.activation)) return first;
  double low = 0, high = first;  // t grows with the gate
  for (int k = 0; t_at(high) < t; ++k, high *= 2)
    RZ_CHECK(value, k < 60, "theory: no gate gives t = {}: {} saturates", t, info(net.activation.function).name);
  while (high - low > 1e-15 * high) {
    const double middle = 0.5 * (low + high);
    if (middle == low || middle == high) break;
    (t_at(middle) < t ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

FiniteWidth finite_width_of(const RandomNet& net, std::int64_t width) {
  const ScalarFunction f = net.activation.function;
  const bool linear = f == ScalarFunction::identity, relu = f == ScalarFunction::relu && !net.residual();
  RZ_CHECK(
      value, net.weights == Weights::gaussian && (linear || relu) && net.sigma_b == 0,
      "theory: exact expectations at a finite width are known of Gaussian weights without bias, for identity (deep "
      "or rezero) and deep relu networks, not for {}{}{}",
      info(f).name, net.weights == Weights::gaussian ? "" : " with orthogonal weights",
      net.sigma_b == 0 ? "" : " with biases");
  if (net.residual()) return finite_width(RandomProduct::residual, width, net.depth, net.sigma_w, net.gates.front());
  return finite_width(linear ? RandomProduct::linear : RandomProduct::relu, width, net.depth, net.sigma_w);
}

}  // namespace rz::isometry
