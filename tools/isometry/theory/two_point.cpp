#include "tools/isometry/theory/two_point.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "core/error.h"
#include "tools/isometry/theory/normal.h"

namespace rz::isometry {
namespace {

using std::numbers::pi;

constexpr std::size_t most_terms = 16384;

PairMoments relu_pair(double q, double c) {  // the arc-cosine kernel (Cho & Saul 2009)
  const double angle = std::acos(c);
  return {q / (2 * pi) * (std::sqrt((1 - c) * (1 + c)) + c * (pi - angle)), (pi - angle) / (2 * pi)};
}

PairMoments leaky_relu_pair(double q, double c, double a) {  // phi(x) = a x + (1 - a) relu(x); E x relu(y) = q c / 2
  const PairMoments r = relu_pair(q, c);
  const double b = 1 - a;
  return {a * q * c + b * b * r.value, a + b * b * r.slope};
}

// erf(s x) has the kernel of Williams (1997) with 2 s^2 q in the place of 2 q.
PairMoments erf_pair(double q, double c, double s) {
  const double v = 2 * s * s * q;
  return {2 / pi * std::asin(v * c / (1 + v)), 4 * s * s / pi / std::sqrt((1 + v - v * c) * (1 + v + v * c))};
}

PairMoments sin_pair(double q, double c) {
  const double near = 0.5 * std::exp(-q * (1 - c)), far = 0.5 * std::exp(-q * (1 + c));
  return {near - far, near + far};
}

// E phi(m + s w) and E phi'(m + s w), w ~ N(0, 1).
PairMoments smoothed_hard_tanh(double m, double s) {
  const double a = (-1 - m) / s, b = (1 - m) / s, below = normal_cdf(a), above = normal_cdf(-b);
  const double inside = 1 - below - above;
  return {m * inside - s * (normal_density(b) - normal_density(a)) + above - below, inside};
}

PairMoments smoothed_selu(double m, double s) {
  constexpr double lambda = scalars::Selu::lambda, steep = scalars::Selu::lambda * scalars::Selu::alpha;
  const double at = m / s, y = at + s, above = normal_cdf(at);
  // E exp(m + s w) over m + s w < 0, without overflow
  const double tail = y > 0 ? normal_density(at) * mills_ratio(y) : std::exp(m + 0.5 * s * s) * normal_cdf(-y);
  return {lambda * (m * above + s * normal_density(at)) + steep * (tail - normal_cdf(-at)),
          lambda * above + steep * tail};
}

// v given u is N(c u, (1 - c^2) q). As a function of u that is smooth, but over no more than `width` at the kinks.
PairMoments smoothed_pair(Scalar phi, double q, double c) {
  const double width = std::sqrt((1 - c) * (1 + c) * q);
  std::vector<double> splits{0};
  for (const double kink : info(phi.function).kinks) {
    for (int step = -3; step <= 3; ++step) splits.push_back(kink + 3 * step * width);
  }
  std::sort(splits.begin(), splits.end());
  const GaussianRule rule = gaussian_rule(splits, q);
  const bool selu = phi.function == ScalarFunction::selu;
  PairMoments sum;
  for (std::size_t i = 0; i < rule.x.size(); ++i) {
    const double u = rule.x[i];
    if (!selu && u < 0) continue;  // hard_tanh is odd: both sides give the same
    const double weight = selu ? rule.weight[i] : 2 * rule.weight[i];
    const PairMoments given = selu ? smoothed_selu(c * u, width) : smoothed_hard_tanh(c * u, width);
    sum.value += weight * evaluate(phi, 0, u) * given.value;
    sum.slope += weight * evaluate(phi, 1, u) * given.slope;
  }
  return sum;
}

PairMoments fully_correlated(Scalar phi, double q, double sign) {
  PairMoments sum;
  const GaussianRule rule = gaussian_rule(phi, q);
  for (std::size_t i = 0; i < rule.x.size(); ++i) {
    const double x = rule.x[i];
    sum.value += rule.weight[i] * evaluate(phi, 0, x) * evaluate(phi, 0, sign * x);
    sum.slope += rule.weight[i] * evaluate(phi, 1, x) * evaluate(phi, 1, sign * x);
  }
  return sum;
}

// phi as two straight lines, with its own moments at c = 1.
PairMoments straight_pair(Scalar phi, double q, double c) {
  const Moments m = moments(phi, q);
  const double left = evaluate(phi, 1, -1e8), right = evaluate(phi, 1, 1e8);
  const PairMoments at = leaky_relu_pair(1, c, left / right), end = leaky_relu_pair(1, 1, left / right);
  return {m.second * at.value / end.value, m.mu_1 * at.slope / end.slope};
}

double dot_in_four_sums(std::span<const double> a, std::span<const double> b) {
  double sums[4] = {0, 0, 0, 0};
  std::size_t i = 0;
  for (; i + 4 <= a.size(); i += 4) {
    for (std::size_t j = 0; j < 4; ++j) sums[j] += a[i + j] * b[i + j];
  }
  for (; i < a.size(); ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

HermiteSeries::HermiteSeries(Scalar phi, double q) : q_(q) {
  const GaussianRule rule = gaussian_rule(std::span<const double>(), q);  // symmetric about its middle node, 0
  const std::size_t size = rule.x.size(), middle = size / 2;
  for (std::size_t i = 0; i < size; ++i) {
    const double y = evaluate(phi, 0, rule.x[i]), slope = evaluate(phi, 1, rule.x[i]);
    rest_ += rule.weight[i] * y * y;
    total_slope_ += q * rule.weight[i] * slope * slope;
    if (i < middle) continue;
    const double mirrored = evaluate(phi, 0, -rule.x[i]), weight = rule.weight[i] * (i == middle ? 0.5 : 1);
    z_.push_back(rule.x[i] / std::sqrt(q));
    even_.push_back(weight * (y + mirrored));
    odd_.push_back(weight * (y - mirrored));
  }
  previous_.assign(z_.size(), 0);
  current_.assign(z_.size(), 1);
  rest_slope_ = total_slope_;
}

void HermiteSeries::extend(std::size_t terms) {
  while (squares_.size() < terms) {
    const auto k = static_cast<double>(squares_.size());
    const double coefficient = dot_in_four_sums(squares_.size() % 2 == 0 ? even_ : odd_, current_),
                 square = coefficient * coefficient;
    squares_.push_back(square);
    rest_ -= square;
    rest_slope_ -= k * square;
    const double down = std::sqrt(k), scale = 1 / std::sqrt(k + 1);
    for (std::size_t i = 0; i < z_.size(); ++i) previous_[i] = scale * (z_[i] * current_[i] - down * previous_[i]);
    std::swap(previous_, current_);
  }
}

PairMoments HermiteSeries::at(double c) {
  const auto left = [&] {
    return rest_slope_ * std::pow(std::abs(c), static_cast<double>(squares_.size())) > 1e-15 * total_slope_;
  };
  while (squares_.empty() || (squares_.size() < most_terms && left()))
    extend(std::max<std::size_t>(32, 2 * squares_.size()));
  double value = 0, slope = 0;  // Horner
  for (std::size_t k = squares_.size(); k-- > 0;) {
    slope = slope * c + value;
    value = value * c + squares_[k];
  }
  if (c > 0 && rest_ > 0 && rest_slope_ > 0) {
    const double power = rest_slope_ / rest_, term = rest_ * std::pow(c, power);
    value += term;
    slope += power * term / c;
  }
  return {value, slope / q_};
}

TwoPoint::TwoPoint(Scalar phi, double q) : phi_(phi), q_(q) {
  RZ_CHECK(value, q > 0, "pairs of arguments: the variance q = {} must be positive", q);
}

PairMoments TwoPoint::at(double c) {
  RZ_CHECK(value, c >= -1 && c <= 1, "pairs of arguments: the correlation {} must lie between -1 and 1", c);
  switch (phi_.function) {
    case ScalarFunction::identity:
      return {q_ * c, 1};
    case ScalarFunction::relu:
      return relu_pair(q_, c);
    case ScalarFunction::leaky_relu:
      return leaky_relu_pair(q_, c, phi_.parameter);
    case ScalarFunction::erf:
      return erf_pair(q_, c, 1);
    case ScalarFunction::erf_unit:
      return erf_pair(q_, c, 0.5 * std::sqrt(pi));
    case ScalarFunction::sin:
      return sin_pair(q_, c);
    default:
      break;
  }
  if (std::abs(c) == 1) return fully_correlated(phi_, q_, c);
  if (!is_bounded(phi_) && q_ > (phi_.function == ScalarFunction::selu ? 1e6 : 1e4)) return straight_pair(phi_, q_, c);
  if (!info(phi_.function).kinks.empty()) return smoothed_pair(phi_, q_, c);
  if (!series_) series_.emplace(phi_, q_);
  return series_->at(c);
}

}  // namespace rz::isometry
