#include "tools/isometry/theory/panel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace rz::isometry {

using Complex = std::complex<double>;

Panel::Panel(double low, double high, std::span<const double> z, std::span<const double> weight,
             std::span<const double> log_s)
    : middle_(0.5 * (low + high)), half_(0.5 * (high - low)) {
  std::array<double, order> legendre{};  // coefficients: c_n = (2 n + 1) / 2 sum_k w_k P_n(t_k) ln s(t_k)
  std::array<std::array<double, order>, order> monomials{};  // P_n
  monomials[0][0] = monomials[1][1] = 1;
  for (std::size_t n = 2; n < order; ++n) {
    const auto d = static_cast<double>(n);
    for (std::size_t k = 0; k < order; ++k) {
      monomials[n][k] = -(d - 1) / d * monomials[n - 2][k];
      if (k > 0) monomials[n][k] += (2 * d - 1) / d * monomials[n - 1][k - 1];
    }
  }
  for (std::size_t k = 0; k < order; ++k) {
    node_[k] = (z[k] - middle_) / half_;
    weight_[k] = weight[k] / (half_ * std::exp(-0.5 * z[k] * z[k]) / std::sqrt(2 * std::numbers::pi));
    double before = 0, p = 1;
    for (std::size_t n = 0; n < order; ++n) {
      const auto d = static_cast<double>(n);
      legendre[n] += (d + 0.5) * weight_[k] * p * log_s[k];
      const double next = ((2 * d + 1) * node_[k] * p - d * before) / (d + 1);
      before = p;
      p = next;
    }
  }
  for (std::size_t n = 0; n < order; ++n) {
    for (std::size_t k = 0; k < order; ++k) coefficient_[k] += legendre[n] * monomials[n][k];
  }
  left_ = this->log_s(-1).value.real();
  center_ = this->log_s(0).value.real();
  right_ = this->log_s(1).value.real();
  find_extremum();
}

// From the vertex of the parabola through three points, where that lies in the panel or just beside it.
void Panel::find_extremum() {
  double t = 0.5 * (left_ - right_) / (right_ + left_ - 2 * center_), step = 1;
  for (int i = 0; i < 20 && std::abs(t) < 1.5 && std::abs(step) > 1e-15; ++i) {
    const Jet at = log_s(t);
    step = at.derivative.real() / at.second.real();
    t -= step;
  }
  extremum_ = std::abs(t) < 1.5 && std::abs(step) < 1e-9 ? t : std::numeric_limits<double>::quiet_NaN();
  const Jet at = log_s(extremum_);
  top_ = at.value.real();
  bend_ = at.second.real();
}

Panel::Jet Panel::log_s(Complex t) const {
  Jet at{};
  for (std::size_t k = order; k-- > 0;) {
    at.second = at.second * t + 2.0 * at.derivative;
    at.derivative = at.derivative * t + at.value;
    at.value = at.value * t + coefficient_[k];
  }
  return at;
}

// The integral of the pole's part less the rule's sum for it.
Panel::Correction Panel::error_at(Complex pole) const {
  const Complex z = middle_ + half_ * pole;
  const Jet at = log_s(pole);
  const Complex residue = -half_ * std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi) / at.derivative;
  Complex error = std::log(1.0 - pole) - std::log(-1.0 - pole), slope = -1.0 / (1.0 - pole) - 1.0 / (1.0 + pole);
  for (std::size_t k = 0; k < order; ++k) {
    const Complex inverse = 1.0 / (node_[k] - pole);
    error -= weight_[k] * inverse;
    slope -= weight_[k] * inverse * inverse;
  }
  slope -= (half_ * z + at.second / at.derivative) * error;
  return {residue * error, -residue * slope / at.derivative};  // d pole = -d log chi / (ln s)'
}

// Beside an extremum of ln s, where two roots meet, the parabola there: that through three points may have real roots
// instead of complex ones, and Newton's method never leaves the real axis.
std::array<Complex, 2> Panel::near_roots(Complex log_chi) const {
  const Complex apart = std::sqrt(-2.0 * (top_ + log_chi) / bend_);
  if (std::abs(apart) < 0.5) return {extremum_ + apart, extremum_ - apart};
  const double b = 0.5 * (right_ - left_), c = 0.5 * (right_ + left_) - center_;
  const Complex a = center_ + log_chi, root = std::sqrt(b * b - 4.0 * c * a);
  const Complex q = -0.5 * (b + (b < 0 ? -root : root));
  return {a / q, q / c};
}

Panel::Correction Panel::correction(Complex log_chi) const {
  Correction sum{};
  if (std::abs(center_ + log_chi.real()) > 4) return sum;
  Complex first = std::numeric_limits<double>::infinity();
  for (Complex t : near_roots(log_chi)) {
    if (!(std::abs(t) < 2.5)) continue;
    Complex step = 1;
    for (int i = 0; i < 8 && std::abs(step) > 1e-15; ++i) {
      const Jet at = log_s(t);
      step = (at.value + log_chi) / at.derivative;
      t -= step;
    }
    if (!(std::abs(step) < 1e-7)) continue;  // from a real start towards complex roots, which lie far from this panel
    const Complex outer = std::sqrt(t * t - 1.0);
    const double ellipse = std::max(std::abs(t + outer), std::abs(t - outer));  // the rule errs by its -32nd power
    if (!(ellipse < 3) || std::abs(t - first) < 1e-9) continue;
    first = t;
    const Correction error = error_at(t);
    sum.value += error.value;
    sum.slope += error.slope;
  }
  return sum;
}

}  // namespace rz::isometry
