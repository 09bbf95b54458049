#include "tools/isometry/theory/random_net.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <utility>

#include "core/error.h"
#include "tools/isometry/theory/moment_table.h"
#include "tools/isometry/theory/root.h"
#include "tools/isometry/theory/signal.h"
#include "tools/isometry/theory/two_point.h"

namespace rz::isometry {
namespace {

using MomentsAt = std::function<Moments(double)>;

// Of f; from a table where a net has more layers than it has nodes.
MomentsAt moments_of(const RandomNet& net) {
  if (net.depth > 2000) return MomentTable(net.activation, 1e8);
  return [f = net.activation](double q) { return moments(f, q); };
}

SignalStart start_of(const RandomNet& net, double q_0, double c_0) {
  return {.q = q_0, .c = c_0, .mean = net.order == nn::Branch::activation_last ? net.mean_0 : 0};
}

// The variance of f's argument in layer l = 1 ... depth of a residual net. Where f' does not depend on it, 1.
std::vector<double> arguments_of(const RandomNet& net, const MomentsAt& moments_at) {
  if (is_homogeneous(net.activation)) return std::vector<double>(net.gates.size(), 1.0);
  return residual_arguments(net.activation, net.sigma_w, net.sigma_b, net.order, net.gates, start_of(net, net.q_0, 0),
                            moments_at);
}

struct Branch {
  double gate, q;  // q: the variance of f's argument
};

constexpr std::size_t group_count = 12;

// Sets all to the root mean square of their gates and the mean of their q, weighted by gate^2 as in sum_l a_l^2 E f'^2;
// exactly where they are equal, since residual_law takes equal layers together.
void average(std::span<Branch> group) {
  const double first = group[0].gate * group[0].gate, q = group[0].q;
  double excess = 0, weight = 0, q_excess = 0;
  for (const Branch& layer : group) {
    const double gate2 = layer.gate * layer.gate;
    excess += gate2 - first;
    weight += gate2;
    q_excess += gate2 * (layer.q - q);
  }
  if (weight == 0) return;  // identities
  const double gate = std::sqrt(first + excess / static_cast<double>(group.size()));
  std::ranges::fill(group, Branch{gate, q + q_excess / weight});
}

// The law does not depend on the order of free layers, so neighbours may be those of equal or similar gates.
std::vector<Branch> grouped(std::vector<Branch> layers) {
  const auto size = [](const Branch& layer) { return std::abs(layer.gate); };
  std::ranges::sort(layers, {}, [&](const Branch& layer) { return std::pair{size(layer), layer.q}; });
  std::vector<std::size_t> starts{0};  // of equal gates
  for (std::size_t l = 1; l < layers.size(); ++l)
    if (size(layers[l]) != size(layers[l - 1])) starts.push_back(l);
  if (starts.size() > group_count) starts.resize(1);
  starts.push_back(layers.size());
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    const std::span<Branch> same = std::span(layers).subspan(starts[i], starts[i + 1] - starts[i]);
    const std::size_t n = same.size();
    const std::size_t groups = std::clamp<std::size_t>(group_count * n / layers.size(), 1, n);
    for (std::size_t g = 0; g < groups; ++g)
      average(same.subspan(n * g / groups, n * (g + 1) / groups - n * g / groups));
  }
  return layers;
}

Law deep_law_of(const RandomNet& net) {
  double q = 1;
  if (!is_homogeneous(net.activation)) {
    q = mean_field(net).q_star;
    RZ_CHECK(value, std::isfinite(q),
             "squared lengths of {} with sigma_w {} and sigma_b {} have no fixed point, so there is no law",
             info(net.activation.function).name, net.sigma_w, net.sigma_b);
  }
  const LayerLaw layers[] = {{net.activation, q, net.sigma_w, net.weights, net.depth}};
  return deep_law(layers);
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
  std::vector<Branch> all;
  for (const double q : arguments_of(net, moments_of(net))) all.push_back({net.gates[all.size()], q});
  if (!is_homogeneous(net.activation)) all = grouped(std::move(all));
  std::vector<ResidualLayerLaw> layers;
  for (const Branch& layer : all)
    layers.push_back({{net.activation, layer.q, net.sigma_w, net.weights, 1}, layer.gate});
  return residual_law(layers, net.order);
}

double gate_of(RandomNet net, double t) {
  RZ_CHECK(value, net.sigma_w > 0, "with sigma_w = 0 no gate gives t = {}", t);
  if (t == 0) return 0;
  const MomentsAt moments_at = moments_of(net);
  const auto root_at = [&](double gate) {  // of t: nearly linear in the gate, and grows with it
    net.gates.assign(static_cast<std::size_t>(net.depth), gate);
    double sum = 0;
    for (const double q : arguments_of(net, moments_at)) sum += q > 0 ? moments_at(q).mu_1 : mu(net.activation, 1, 0);
    return gate * net.sigma_w * std::sqrt(sum);
  };
  const double root_t = std::sqrt(t), first = root_t / root_at(1);
  if (is_homogeneous(net.activation)) return first;
  double high = first;
  for (int k = 0; root_at(high) < root_t; ++k, high *= 2)
    RZ_CHECK(value, k < 60, "no gate gives t = {}: {} saturates", t, info(net.activation.function).name);
  return find_root([&](double gate) { return root_at(gate) - root_t; }, 0, high);
}

FiniteWidth finite_width_of(const RandomNet& net, std::int64_t width) {
  const ScalarFunction f = net.activation.function;
  const bool linear = f == ScalarFunction::identity, relu = f == ScalarFunction::relu && !net.residual();
  RZ_CHECK(value, net.weights == Weights::gaussian && (linear || relu) && net.sigma_b == 0,
           "exact expectations at a finite width are known of Gaussian weights without bias, for identity (deep "
           "or rezero) and deep relu networks, not for {}{}{}",
           info(f).name, net.weights == Weights::gaussian ? "" : " with orthogonal weights",
           net.sigma_b == 0 ? "" : " with biases");
  if (net.residual()) return finite_width(RandomProduct::residual, width, net.depth, net.sigma_w, net.gates.front());
  return finite_width(linear ? RandomProduct::linear : RandomProduct::relu, width, net.depth, net.sigma_w);
}

}  // namespace rz::isometry
