#include "tools/isometry/theory/relu_residual.h"

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

namespace rz::isometry {

using std::numbers::pi;

namespace {

double exact_variance(std::span<const double> gates) {
  const std::size_t layers = gates.size();
  // M = A A^T for the Jacobian A of the first s layers; tr is normalised. In units of (E tr M)^2:
  // R(k, s) = E tr(D_k M) tr(D_s M) is P(D_k = D_s = 1) + half[k] + half[s] + common, V(s) = E tr(D_s M^2)
  std::vector<double> growth(layers + 1), half(layers), masked(layers);
  for (std::size_t s = 0; s < layers; ++s) growth[s + 1] = growth[s] + std::log1p(0.5 * gates[s] * gates[s]);
  std::vector<double> r(layers);
  double common = 0, excess = 0;
  for (std::size_t s = 0; s < layers; ++s) {
    const double e = gates[s] * gates[s], unit = std::pow(1 + 0.5 * e, -2);
    for (std::size_t k = 0; k < layers; ++k) {
      const double correlation = std::exp(-0.5 * std::abs(growth[k] - growth[s]));
      r[k] = 0.25 + std::asin(correlation) / (2 * pi) + half[k] + half[s] + common;
    }
    const double v = 0.5 + masked[s], rs = r[s];
    for (std::size_t k = 0; k < layers; ++k) {
      half[k] = unit * (half[k] + 0.5 * e * r[k]);
      masked[k] = unit * (masked[k] + e * (r[k] + 0.5 * v) + 0.5 * e * e * rs);
    }
    common = unit * (common + 0.25 * e * e * rs);
    excess = unit * (excess + 2 * e * v + e * e * rs);
  }
  return excess;
}

// `count` layers that stand for neighbouring ones, with the same growth of E tr M.
std::vector<double> merged(std::span<const double> gates, std::size_t count) {
  std::vector<double> fewer;
  for (std::size_t i = 0; i < count; ++i) {
    double growth = 0;
    for (std::size_t l = gates.size() * i / count; l < gates.size() * (i + 1) / count; ++l)
      growth += std::log1p(0.5 * gates[l] * gates[l]);
    fewer.push_back(std::sqrt(2 * std::expm1(growth)));
  }
  return fewer;
}

}  // namespace

// The exact sum takes layers^2 steps. Of many layers it is taken with fewer: the error falls like 1 / layers.
double relu_variance(std::span<const double> gates) {
  constexpr std::size_t most = 2048;
  if (gates.size() <= most) return exact_variance(gates);
  const double n = most, layers = static_cast<double>(gates.size());
  const double fine = exact_variance(merged(gates, most)), coarse = exact_variance(merged(gates, most / 2));
  return fine - (coarse - fine) * (1 - n / layers);
}

double relu_outlier(std::span<const double> gates) {
  const double overlap = 1 / std::sqrt(pi);  // of x_0 / |x_0| and 1 / sqrt(N)
  // |J u|^2 for u = a x_0 / |x_0| + b 1 / sqrt(N)
  const auto squared = [&](double a, double b) {
    double x = 1, m = overlap;  // |x| and 1.x / sqrt(N), of |x_0|
    double t = a + b * overlap, p = a * overlap + b, u = a * a + b * b + 2 * a * b * overlap;  // x.u, 1.u, u.u
    for (const double gate : gates) {
      const double c = gate / std::sqrt(2 * pi), e = 0.5 * gate * gate;
      const double t_next = t + c * (m * t / x + x * p) + e * t, p_next = p + c * t / x,
                   u_next = u + 2 * c * p * t / x + e * u;
      const double x_next = std::sqrt(x * x * (1 + e) + 2 * c * x * m), m_next = m + c * x;
      t = t_next, p = p_next, u = u_next, x = x_next, m = m_next;
    }
    return u;
  };
  // The larger root of det(form - lambda gram) = 0
  const double form_a = squared(1, 0), form_b = squared(0, 1), form_ab = 0.5 * (squared(1, 1) - form_a - form_b);
  const double gram = 1 - overlap * overlap, trace = form_a + form_b - 2 * overlap * form_ab;
  const double determinant = form_a * form_b - form_ab * form_ab;
  return std::sqrt((trace + std::sqrt(trace * trace - 4 * gram * determinant)) / (2 * gram));
}

}  // namespace rz::isometry
