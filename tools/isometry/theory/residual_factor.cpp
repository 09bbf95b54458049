#include <algorithm>
#include <cmath>

#include "tools/isometry/theory/factor.h"
#include "tools/isometry/theory/root.h"

namespace rz::isometry {
namespace {

// 1 + X, X = W D. X is R-diagonal, so 1 + X has the singular values of U + X, U Haar and free of X, and the
// R-transforms of their symmetrised laws add (Haagerup & Larsen 2000). For R-diagonal X they are given by v = g R(g)
// with
//   g^2 = v (1 + v) S_XX(v) = chi (1 + v)^e,  v = psi_D(chi),  e = 1 (Gaussian W), 2 (Haar W),
// for U by g^2 = u (1 + u). So z = u + v and S(z) = g^2 / (z (1 + z)). The state is log chi, log u. The subordination
// functions of the singular values keep to a half-plane, so those of their squares, chi among them, turn by up to 2 pi.
class ResidualFactor : public Factor {
 public:
  ResidualFactor(SlopeLaw d2, bool gaussian) : d2_(std::move(d2)), power_(gaussian ? 1 : 2) {
    const double m = d2_.mean();
    log_mean = std::log1p(m);
    relative_variance = m * (2 + m * (d2_.relative_variance() + (gaussian ? 1 : 0))) / ((1 + m) * (1 + m));
    argument = 2 * std::numbers::pi;
    log_s = log_s_series();
    set_gap();
    mean_log = mean_log_lambda();
    double positive = 0;
    for (const SlopeLaw::Point& p : d2_.points()) positive += p.value > 0 ? p.mass : 0;
    if (positive < 0.5) atoms.push_back({0, 1 - 2 * positive});
  }
  std::size_t states() const override { return 2; }
  Linear newton(Complex z, std::span<const Complex> state, std::span<Linear> change) const override {
    const SlopeLaw::Value psi = d2_.psi(state[0]);
    const Complex u = std::exp(state[1]), v = psi.psi, log_g2 = state[1] + std::log(1.0 + u);
    const Complex r1 = z - u - v, r2 = state[0] + power_ * std::log(1.0 + v) - log_g2;
    const Complex k = 1.0 / u + 1.0 / (1.0 + u), c = 1.0 + power_ * psi.slope / (1.0 + v), d = c + k * psi.slope;
    change[0] = {(k * r1 - r2) / d, k / d};
    change[1] = {(r1 - psi.slope * change[0].value) / u, (1.0 - psi.slope * change[0].slope) / u};
    return {log_g2 + k * u * change[1].value - std::log(z) - std::log(1.0 + z),
            k * u * change[1].slope - 1.0 / z - 1.0 / (1.0 + z)};
  }
  void start(Complex z, std::span<Complex> state) const override {
    state[0] = state[1] = std::log(z / (1 + d2_.mean()));
  }
  bool real_state(double z, std::span<Complex> state) const override {
    if (z > 0) {  // y = 1 / chi, z(y) falls
      double high = d2_.supremum() + (1 + d2_.supremum()) / z;
      while (place(high, 1).z > z) high *= 2;
      return set(increasing_root([&](double y) { return reciprocal(y, 1, z); }, d2_.supremum(), high), 1, z, state);
    }
    if (!gapped || z >= -1) return false;
    if (inner_) {
      if (z <= place(turn_, 1).z) return false;
      return set(increasing_root([&](double y) { return reciprocal(y, 1, z); }, 0, turn_), 1, z, state);
    }
    // No look at z(turn_): with small gates it lies so close to the end of d^2 that rounding spoils it. set() refuses.
    double high = 2 * turn_;
    while (place(high, -1).z < z) high *= 2;
    const auto f = [&](double y) {
      const Place at = place(y, -1);
      return Slope{at.z - z, at.slope};
    };
    return set(increasing_root(f, turn_, high), -1, z, state);
  }

 private:
  struct Place {            // on the real curve, by y = 1 / chi
    double u, v, z, slope;  // slope = dz / dy
  };
  // branch: the sign of 1 + 2 u
  Place place(double y, double branch) const {
    const SlopeLaw::Value psi = d2_.psi(-std::log(Complex(y)));
    const double v = psi.psi.real(), dv = -psi.slope.real() / y;  // d log chi = -dy / y
    const double g2 = std::pow(1 + v, power_) / y, dg2 = g2 * (power_ * dv / (1 + v) - 1 / y);
    const double root = std::sqrt(1 + 4 * g2), small = 2 * g2 / (1 + root);  // u (1 + u) = g2: small, -1 - small
    return {branch > 0 ? small : -1 - small, v, branch > 0 ? small + v : v - small - 1, branch * dg2 / root + dv};
  }
  Slope reciprocal(double y, double branch, double z) const {
    const Place at = place(y, branch);
    return {1 / at.z - 1 / z, -at.slope / (at.z * at.z)};
  }
  bool set(double y, double branch, double z, std::span<Complex> state) const {
    const Place at = place(y, branch);
    state[0] = -std::log(Complex(y));
    state[1] = std::log(Complex(at.u));
    return std::abs(at.z - z) < 1e-6 * std::abs(z);  // else psi has an end at the end of the support
  }
  // Gapped at 0: the small singular values come from 1 (E d^2 < 1; chi near 0) or, with Haar W, from X (E d^-2 < 1; chi
  // near infinity). turn_ is where z on that branch turns back.
  void set_gap() {
    double inverse_mean = 0;
    for (const SlopeLaw::Point& p : d2_.points()) inverse_mean += p.mass / p.value;
    inner_ = power_ > 1 && d2_.discrete() && inverse_mean < 1;
    gapped = inner_ || d2_.mean() < 1;
    if (!gapped) return;
    if (inner_) {
      turn_ = bisect([&](double y) { return place(y, 1).slope < 0; }, 0, d2_.smallest_positive());
    } else {
      double high = 2 * d2_.supremum();
      while (place(high, -1).slope < 0) high *= 2;
      turn_ = bisect([&](double y) { return place(y, -1).slope < 0; }, d2_.supremum(), high);
    }
  }
  Series log_s_series() const {
    const long double m = d2_.mean();
    Series psi{}, v_part{}, z{};
    for (std::size_t k = 1; k < psi.size(); ++k) psi[k] = d2_.moment(static_cast<int>(k));
    Series g2 = inverse(psi);  // m chi as a series in v
    for (int i = 0; i < static_cast<int>(power_); ++i) g2 = product(g2, {1, 1});
    v_part = inverse(g2);  // v in m g^2
    const Series u_part = inverse({0, 1, 1});
    long double m_power = 1, scale = 1;
    for (std::size_t k = 1; k < z.size(); ++k) {  // z in (1 + m) g^2
      m_power *= m;
      scale *= 1 + m;
      z[k] = (u_part[k] + m_power * v_part[k]) / scale;
    }
    Series result = log(shifted(inverse(z)));
    const Series log_one = log_one_plus();
    for (std::size_t k = 0; k < result.size(); ++k) result[k] -= log_one[k];
    return result;
  }
  // E log lambda = integral over -1 < z < 0 of max(0, -log S_XX): the potential of the Brown measure of X at 1
  // (Haagerup & Larsen 2000, theorem 4.4). In powers of t, z = -t: S_XX is below 1 where t is small.
  double mean_log_lambda() const {
    if (d2_.mean() <= 1) return 0;
    const auto minus_log_s = [&](double z) {
      const double chi = d2_.chi(z);
      return -std::log(chi / z) - (power_ - 1) * std::log1p(z);
    };
    const double end = bisect([&](double t) { return minus_log_s(-t) > 0; }, 0, d2_.positive_mass());
    const int cells = 2000;  // midpoints of t = end (1 - s^3): smooth at the end, where S_XX may have a pole
    double sum = 0;
    for (int i = 0; i < cells; ++i) {
      const double s = (i + 0.5) / cells;
      sum += minus_log_s(-end * (1 - s * s * s)) * 3 * s * s * end / cells;
    }
    return sum;
  }

  SlopeLaw d2_;
  double power_;  // e
  double turn_ = 0;
  bool inner_ = false;
};

}  // namespace

std::shared_ptr<const Factor> residual_factor(SlopeLaw d2, bool gaussian) {
  return std::make_shared<ResidualFactor>(std::move(d2), gaussian);
}

}  // namespace rz::isometry
