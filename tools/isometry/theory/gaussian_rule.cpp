#include "tools/isometry/theory/gaussian_rule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/error.h"
#include "tools/isometry/theory/normal.h"

namespace rz::isometry {
namespace {

constexpr double farthest = 13;  // in z: exp(-13^2 / 4) is 5e-19, so Hermite polynomials of any degree end there, too
constexpr double beside_zero = 1e-300;

// The rule for an integral over z, with the Gaussian in the weights.
void add(GaussianRule& rule, double root_q, double z, double dz) {
  rule.x.push_back(root_q * z);
  rule.weight.push_back(dz * normal_density(z));
}

GaussianRule trapezoid(double root_q) {
  const double step = std::min(1.0 / 8, 0.15 / root_q);
  const auto n = static_cast<long>(std::ceil(farthest / step));
  GaussianRule rule;
  rule.x.reserve(static_cast<std::size_t>(2 * n + 1));
  rule.weight.reserve(static_cast<std::size_t>(2 * n + 1));
  for (long i = -n; i <= n; ++i) add(rule, root_q, step * static_cast<double>(i), step);
  return rule;
}

constexpr int order = 16;
struct Legendre {
  std::array<double, order> node{}, weight{};  // on [-1, 1]
};
Legendre gauss_legendre() {
  Legendre rule;
  for (int i = 0; i < order; ++i) {
    double x = std::cos(std::numbers::pi * (i + 0.75) / (order + 0.5)), slope = 1;
    for (int iteration = 0; iteration < 6; ++iteration) {  // Newton; quadratic from the first step
      double p = 1, before = 0;
      for (int k = 1; k <= order; ++k) {
        const double next = ((2 * k - 1) * x * p - (k - 1) * before) / k;
        before = p;
        p = next;
      }
      slope = order * (x * p - before) / (x * x - 1);
      x -= p / slope;
    }
    const auto at = static_cast<std::size_t>(i);
    rule.node[at] = x;
    rule.weight[at] = 2 / ((1 - x * x) * slope * slope);
  }
  return rule;
}

// Gauss-Legendre panels over [a, b] in z, none of them wider than `widest`.
void add_panels(GaussianRule& rule, double root_q, double a, double b, double widest) {
  static const Legendre legendre = gauss_legendre();
  const auto pieces = std::max(1L, static_cast<long>(std::ceil((b - a) / widest)));
  const double half = 0.5 * (b - a) / static_cast<double>(pieces);
  for (long piece = 0; piece < pieces; ++piece) {
    const double middle = a + half * static_cast<double>(2 * piece + 1);
    for (std::size_t k = 0; k < order; ++k)
      add(rule, root_q, middle + half * legendre.node[k], half * legendre.weight[k]);
  }
}

// The ends of the range and the kinks in it, in z.
std::vector<double> split_points(std::span<const double> kinks, double root_q) {
  std::vector<double> ends{-farthest};
  for (const double kink : kinks) {
    if (std::abs(kink) < farthest * root_q) ends.push_back(kink / root_q);
  }
  ends.push_back(farthest);
  return ends;
}

}  // namespace

GaussianRule gaussian_rule(std::span<const double> kinks, double q) {
  RZ_CHECK(value, q >= 0 && q <= 1e10, "integrals over arguments of variance q = {}: it must lie between 0 and 10^10",
           q);
  if (q == 0) return {{-beside_zero, beside_zero}, {0.5, 0.5}};
  const double root_q = std::sqrt(q);
  const std::vector<double> ends = split_points(kinks, root_q);
  if (ends.size() == 2) return trapezoid(root_q);
  GaussianRule rule;
  for (std::size_t i = 0; i + 1 < ends.size(); ++i)
    add_panels(rule, root_q, ends[i], ends[i + 1], std::min(2.0, 2 / root_q));
  return rule;
}

GaussianRule panel_rule(std::span<const double> ends, double q) {
  GaussianRule rule;
  for (std::size_t i = 0; i + 1 < ends.size(); ++i)
    add_panels(rule, std::sqrt(q), ends[i], ends[i + 1], std::numeric_limits<double>::infinity());
  return rule;
}

GaussianRule graded_rule(std::span<const double> kinks, double q) {
  RZ_CHECK(value, q > 100 && q <= 1e300,
           "integrals over arguments of variance q = {}: it must lie between 100 and 10^300", q);
  const double root_q = std::sqrt(q), middle = 48 / root_q;
  std::vector<double> ends = split_points(kinks, root_q);
  for (double z = middle; z < farthest; z *= 2) ends.insert(ends.end(), {-z, z});
  std::sort(ends.begin(), ends.end());
  GaussianRule rule;
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    const bool inside = std::abs(ends[i] + ends[i + 1]) < 2 * middle;
    add_panels(rule, root_q, ends[i], ends[i + 1], inside ? 1 / root_q : 2.0);
  }
  return rule;
}

}  // namespace rz::isometry
