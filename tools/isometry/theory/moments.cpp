#include "tools/isometry/theory/moments.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>

#include "core/error.h"
#include "tools/isometry/theory/normal.h"

namespace rz::isometry {
namespace {

using std::numbers::ln2, std::numbers::pi;

double softplus(double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::abs(x))); }
double logistic(double x) { return std::exp(-softplus(-x)); }

double log_gelu_slope(double x) {  // phi' = Phi + x n, n the normal density
  if (x > 0) return std::log(normal_cdf(x) + x * normal_density(x));
  return -0.5 * x * x - 0.5 * std::log(2 * pi) + std::log(std::abs(mills_ratio(-x) + x));  // without underflow
}

double log_gelu_tanh_slope(double x) {  // phi = x s(2 u), s the logistic function
  const double k = scalars::GeluTanh::k, c = scalars::GeluTanh::c;
  const double u = k * x * (1 + c * x * x), du = k * (1 + 3 * c * x * x);
  return -softplus(-2 * u) + std::log(std::abs(1 + 2 * x * logistic(-2 * u) * du));
}

// ln |phi'(x)| without underflow where phi' is below all doubles.
double log_slope(Scalar phi, double x) {
  switch (phi.function) {
    case ScalarFunction::tanh:
      return 2 * (ln2 - std::abs(x) - std::log1p(std::exp(-2 * std::abs(x))));
    case ScalarFunction::erf:
      return std::log(2 * std::numbers::inv_sqrtpi) - x * x;
    case ScalarFunction::erf_unit:
      return -0.25 * pi * x * x;
    case ScalarFunction::sigmoid:
      return -softplus(x) - softplus(-x);
    case ScalarFunction::selu:
      return x > 0 ? std::log(scalars::Selu::lambda) : std::log(scalars::Selu::lambda * scalars::Selu::alpha) + x;
    case ScalarFunction::gelu:
      return log_gelu_slope(x);
    case ScalarFunction::gelu_tanh:
      return log_gelu_tanh_slope(x);
    case ScalarFunction::silu:
      return -softplus(-x) + std::log(std::abs(1 + x * logistic(-x)));
    default:
      return std::log(std::abs(evaluate(phi, 1, x)));
  }
}

// E ln phi'^2 where phi' is zero at one place x_0 < 0: on both sides x = x_0 +- sqrt(q) exp(t - exp(-t)), which takes
// the logarithm's pole to t = -infinity (Takahasi & Mori 1974), and the trapezoidal rule in t.
double mean_log_around_zero(Scalar phi, double q) {
  double low = -3, high = 0;
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    (evaluate(phi, 1, middle) < 0 ? low : high) = middle;
  }
  const double root_q = std::sqrt(q), z_0 = high / root_q, step = 1.0 / 64;
  if (z_0 < -13) return expectation(gaussian_rule(phi, q), [&](double x) { return 2 * log_slope(phi, x); });
  double sum = 0;
  for (int i = -224; i <= 256; ++i) {  // offsets from 1e-16 to 54
    const double t = step * i, offset = std::exp(t - std::exp(-t));
    for (const double side : {-1.0, 1.0}) {
      const double z = z_0 + side * offset, weight = step * offset * (1 + std::exp(-t)) * std::exp(-0.5 * z * z);
      const double value = log_slope(phi, root_q * z);
      if (std::isfinite(value)) sum += 2 * weight * value;  // not at a z that is rounded to the zero itself
    }
  }
  return sum / std::sqrt(2 * pi);
}

// From E cos(k x) = exp(-k^2 q / 2): the nodes of an integral would be too many where q is large.
Moments sin_moments(double q) {
  RZ_CHECK(value, q >= 0, "moments of sin: the variance q = {} must be at least 0", q);
  const double two = std::exp(-2 * q);
  return {-0.5 * std::expm1(-2 * q), two, 0.5 * (1 + two), (3 + 4 * two + std::exp(-8 * q)) / 8, 0};
}

// ln |cos x| = -ln 2 - sum_k (-1)^k cos(2 k x) / k: its many poles leave no good rule.
double mean_log_cosine_squared(double q) {
  double sum = -ln2;
  for (int k = 1; 2.0 * k * k * q < 40; ++k) sum += (k % 2 ? 1 : -1) * std::exp(-2.0 * k * k * q) / k;
  return 2 * sum;
}

}  // namespace

bool is_homogeneous(Scalar phi) {
  return phi.function == ScalarFunction::identity || phi.function == ScalarFunction::relu ||
         phi.function == ScalarFunction::leaky_relu;
}

bool is_bounded(Scalar phi) {
  constexpr ScalarFunction bounded[] = {ScalarFunction::tanh,      ScalarFunction::erf,     ScalarFunction::erf_unit,
                                        ScalarFunction::hard_tanh, ScalarFunction::sigmoid, ScalarFunction::sin};
  return std::find(std::begin(bounded), std::end(bounded), phi.function) != std::end(bounded);
}

GaussianRule gaussian_rule(Scalar phi, double q) {
  const std::span<const double> kinks = info(phi.function).kinks;
  return q > 100 && phi.function != ScalarFunction::sin ? graded_rule(kinks, q) : gaussian_rule(kinks, q);
}

Moments moments(Scalar phi, double q) {
  if (phi.function == ScalarFunction::sin) return sin_moments(q);
  const GaussianRule rule = gaussian_rule(phi, q);
  Moments sum;
  for (std::size_t i = 0; i < rule.x.size(); ++i) {
    const double x = rule.x[i], weight = rule.weight[i];
    const double y = evaluate(phi, 0, x), slope = evaluate(phi, 1, x), square = slope * slope;
    sum.second += weight * y * y;
    // d/dq at fixed z = x / sqrt(q): it needs no phi'', which is not a function where phi has kinks.
    sum.slope += weight * (q > 0 ? x * y * slope / q : square + y * evaluate(phi, 2, x));
    sum.mu_1 += weight * square;
    sum.mu_2 += weight * square * square;
    sum.mean += weight * y;
  }
  return sum;
}

double poincare_gap(Scalar phi, double q) {
  if (phi.function == ScalarFunction::sin && q > 1) return q * sin_moments(q).mu_1 - sin_moments(q).second;
  // The same for phi(x) - a x with any a, since E x phi = q E phi': a = E phi' leaves the least to cancel.
  const GaussianRule rule = gaussian_rule(phi, q);
  const double a = expectation(rule, [&](double x) { return evaluate(phi, 1, x); });
  return expectation(rule, [&](double x) {
    const double rest = evaluate(phi, 0, x) - a * x, slope = evaluate(phi, 1, x) - a;
    return q * slope * slope - rest * rest;
  });
}

double mu(Scalar phi, int k, double q) {
  RZ_CHECK(value, k >= 1, "moments of a slope: the order k = {} must be at least 1", k);
  return expectation(gaussian_rule(phi, q), [&](double x) { return std::pow(evaluate(phi, 1, x), 2 * k); });
}

double mean_log_slope_squared(Scalar phi, double q) {
  const bool one_zero = phi.function == ScalarFunction::gelu || phi.function == ScalarFunction::gelu_tanh ||
                        phi.function == ScalarFunction::silu;
  if (one_zero && q > 0) return mean_log_around_zero(phi, q);
  if (phi.function == ScalarFunction::sin && q > 1.0 / 80) return mean_log_cosine_squared(q);
  return expectation(gaussian_rule(phi, q), [&](double x) { return 2 * log_slope(phi, x); });
}

double log_slope_gap(Scalar phi, double q) {
  const double mean = mean_log_slope_squared(phi, q), gap = mean - std::log(mu(phi, 1, q));
  if (!(std::abs(gap) < 1e-3)) return gap;
  // -ln E exp(g - E g), g = ln phi'^2; as E (g - E g) = 0, only the second order is left to be summed.
  return -std::log1p(expectation(gaussian_rule(phi, q), [&](double x) {
    const double g = 2 * log_slope(phi, x) - mean;
    return std::expm1(g) - g;
  }));
}

}  // namespace rz::isometry
