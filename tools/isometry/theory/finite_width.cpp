#include "tools/isometry/theory/finite_width.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "core/error.h"
#include "tools/isometry/theory/numbers.h"

namespace rz::isometry {
namespace {

void check(std::int64_t width, std::int64_t layers, double sigma_w) {
  RZ_CHECK(value, width >= 1 && width <= 1'000'000, "finite width: a width of {} is not between 1 and 10^6", width);
  RZ_CHECK(value, layers >= 1 && layers <= 1'000'000, "finite width: {} layers are not between 1 and 10^6", layers);
  RZ_CHECK(value, sigma_w >= 0 && sigma_w <= 1e4, "finite width: sigma_w = {} must lie between 0 and 10000", sigma_w);
}

struct SecondMoments {
  double a = 1, b = 1;  // E tr(M^2) / N, E (tr(M) / N)^2
};

// M -> D W M W^T D with s = sigma_w^2 and masks that are 1 with probability p. Given M, the rows of W are independent:
// with B = W M W^T, E B_ij^2 = (s / N)^2 tr M^2 for i != j, and E B_ii^2 = (s / N)^2 ((tr M)^2 + 2 tr M^2).
SecondMoments masked_step(const SecondMoments& m, double n, double s, double p) {
  const double apart = p * p * (1 - 1 / n);
  return {s * s * (apart * m.a + p * (m.b + 2 * m.a / n)), s * s * (apart * m.b + p * (m.b / n + 2 * m.a / (n * n)))};
}

// M -> (1 + W) M (1 + W)^T, W_ij ~ N(0, s / N), by Wick's theorem.
SecondMoments residual_step(const SecondMoments& m, double n, double s) {
  return {m.a * (1 + s * (2 + 2 / n) + s * s * (1 + 1 / n)) + m.b * (2 * s + s * s),
          m.b * (1 + s) * (1 + s) + m.a * (4 * s + 2 * s * s) / (n * n)};
}

// P(Bin(N, 1/2) = k), k = 0 ... N: from the middle outwards, where nothing is small, then to sum 1.
std::vector<double> binomial_half(std::int64_t width) {
  const auto n = static_cast<std::size_t>(width), middle = n / 2;
  std::vector<double> p(n + 1, 1.0);
  double sum = 1;
  for (std::size_t k = middle; k < n; ++k) {
    p[k + 1] = p[k] * static_cast<double>(n - k) / static_cast<double>(k + 1);
    sum += p[k + 1];
  }
  for (std::size_t k = middle; k > 0; --k) {
    p[k - 1] = p[k] * static_cast<double>(k) / static_cast<double>(n - k + 1);
    sum += p[k - 1];
  }
  for (double& value : p) value /= sum;
  return p;
}

// E min = sum_(k >= 1) P(min >= k).
double expected_minimum(std::int64_t width, double layers) {
  const std::vector<double> p = binomial_half(width);
  double at_least = 0, sum = 0;
  for (std::size_t k = p.size() - 1; k >= 1; --k) {
    at_least += p[k];
    sum += std::pow(at_least, layers);
  }
  return sum;
}

// The asymptotic series need x >= 12 for 16 digits: below, f(x) = f(x + 1) + step(x).
template <class Step>
double raise(double& x, Step&& step) {
  double sum = 0;
  for (; x < 12; ++x) sum += step(x);
  return sum;
}

void add_linear(FiniteWidth& result, std::int64_t width, double layers, double s) {
  const auto n = static_cast<double>(width);
  for (std::int64_t k = 1; k <= width; ++k) {
    const double half_degrees = static_cast<double>(width - k + 1) / 2;
    result.lyapunov.push_back(0.5 * (digamma(half_degrees) + std::log(2 * s / n)));
    result.mean_log_sigma += layers * result.lyapunov.back() / n;
    result.var_log_det += layers * 0.25 * trigamma(half_degrees);
  }
  result.mean_log_norm = layers * result.lyapunov.front();
  result.var_log_norm = layers * 0.25 * trigamma(n / 2);
}

}  // namespace

double digamma(double x) {
  const double raised = raise(x, [](double y) { return -1 / y; }), s = 1 / (x * x);
  const double series =
      s *
      (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s * (1.0 / 132 - s * (691.0 / 32760 - s / 12))))));
  return raised + std::log(x) - 0.5 / x - series;
}

double trigamma(double x) {
  const double raised = raise(x, [](double y) { return 1 / (y * y); }), s = 1 / (x * x);
  const double series =
      s *
      (1.0 / 6 - s * (1.0 / 30 - s * (1.0 / 42 - s * (1.0 / 30 - s * (5.0 / 66 - s * (691.0 / 2730 - s * 7 / 6))))));
  return raised + (1 + 0.5 / x + series) / x;
}

LogNorm relu_log_norm2(std::int64_t width, double sigma_w) {
  check(width, 1, sigma_w);
  const std::vector<double> p = binomial_half(width);
  double total = 0, mean = 0, square = 0;
  // About the value at k = N / 2, so that the variance does not cancel.
  const double centre = digamma(static_cast<double>(width) / 4);
  for (std::size_t k = 1; k < p.size(); ++k) {
    const double half = 0.5 * static_cast<double>(k), offset = digamma(half) - centre;
    total += p[k];
    mean += p[k] * offset;
    square += p[k] * (offset * offset + trigamma(half));
  }
  mean /= total;
  return {mean + centre + std::log(2 * sigma_w * sigma_w / static_cast<double>(width)), square / total - mean * mean};
}

FiniteWidth finite_width(RandomProduct product, std::int64_t width, std::int64_t layers, double sigma_w, double gate) {
  check(width, layers, sigma_w);
  RZ_CHECK(value, std::isfinite(gate), "finite width: the gate {} is not finite", gate);
  const auto n = static_cast<double>(width), depth = static_cast<double>(layers);
  const bool residual = product == RandomProduct::residual, relu = product == RandomProduct::relu;
  const double s = residual ? gate * gate * sigma_w * sigma_w : sigma_w * sigma_w, p = relu ? 0.5 : 1;
  SecondMoments m;
  for (std::int64_t l = 0; l < layers; ++l) m = residual ? residual_step(m, n, s) : masked_step(m, n, s, p);
  FiniteWidth result;
  result.e_tr = std::pow(residual ? 1 + s : s * p, depth);
  result.e_tr2 = m.a;
  result.e_tr_sq = m.b;
  const double excess = relu ? 5 : residual ? (4 * s + 2 * s * s) / ((1 + s) * (1 + s)) : 2;
  result.fourth_moment_ratio = std::pow(1 + excess / n, depth);
  result.expected_rank = relu ? expected_minimum(width, depth) : n;
  if (residual) {
    result.mean_log_sigma = result.var_log_det = result.mean_log_norm = result.var_log_norm = undefined;
  } else if (relu) {
    const LogNorm layer = relu_log_norm2(width, sigma_w);
    result.mean_log_sigma = -std::numeric_limits<double>::infinity();
    result.var_log_det = undefined;
    result.mean_log_norm = 0.5 * depth * layer.mean;
    result.var_log_norm = 0.25 * depth * layer.variance;
  } else {
    add_linear(result, width, depth, s);
  }
  return result;
}

}  // namespace rz::isometry
