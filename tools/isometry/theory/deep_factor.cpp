#include <algorithm>
#include <cmath>

#include "tools/isometry/theory/factor.h"

namespace rz::isometry {
namespace {

Complex complex_log1p(Complex t) {  // no rounding of 1 + t
  const double x = t.real(), y = t.imag();
  return {0.5 * std::log1p(2 * x + x * x + y * y), std::atan2(y, 1 + x)};
}

// S_D = chi (1 + z) / z with psi_D(chi) = z, and S_W = 1 / (1 + z) (Gaussian) or 1. The state is log chi.
class DeepFactor : public Factor {
 public:
  DeepFactor(SlopeLaw d2, bool gaussian) : d2_(std::move(d2)), gaussian_(gaussian) {
    log_mean = std::log(d2_.mean());
    relative_variance = d2_.relative_variance() + (gaussian ? 1 : 0);
    mean_log = d2_.mean_log() - (gaussian ? 1 : 0);
    Series psi{};  // in units of the mean
    for (std::size_t k = 1; k < psi.size(); ++k) psi[k] = d2_.moment(static_cast<int>(k));
    log_s = log(shifted(inverse(psi)));
    if (!gaussian) {
      const Series log_one = log_one_plus();
      for (std::size_t k = 0; k < log_s.size(); ++k) log_s[k] += log_one[k];
    }
    rank = d2_.positive_mass();
    gapped = d2_.discrete() && (!gaussian || rank < 1);
    if (gaussian) return;
    for (const SlopeLaw::Point& p : d2_.points()) {
      if (p.atom && p.value > 0) atoms.push_back({std::log(p.value), p.mass});
    }
    if (d2_.points().back().atom) top = atoms.back();
    if (d2_.discrete()) bottom = atoms.front();
  }
  std::size_t states() const override { return 1; }
  Linear newton(Complex z, std::span<const Complex> state, std::span<Linear> change) const override {
    const SlopeLaw::Value psi = d2_.psi(state[0]);
    change[0] = {(z - psi.psi) / psi.slope, 1.0 / psi.slope};
    // log(chi / psi); thousands of layers add up, so near chi = 0 it is -log(m (1 + excess))
    const Complex log_ratio =
        std::abs(psi.excess) < 0.5 ? -log_mean - complex_log1p(psi.excess) : state[0] - std::log(psi.psi);
    const Complex slope = 1.0 - psi.slope / psi.psi;
    Linear at{log_ratio + slope * change[0].value, slope * change[0].slope};
    if (!gaussian_) {
      at.value += std::abs(z) < 0.5 ? complex_log1p(z) : std::log(1.0 + z);
      at.slope += 1.0 / (1.0 + z);
    }
    return at;
  }
  void start(Complex z, std::span<Complex> state) const override { state[0] = std::log(z / d2_.mean()); }
  bool real_state(double z, std::span<Complex> state) const override {
    if (z <= -rank && !d2_.discrete()) return false;
    state[0] = std::log(Complex(d2_.chi(z)));
    // psi(1 / supremum) may be finite, or infinite by too little for the digits of chi
    return std::abs(d2_.psi(state[0]).psi - z) < 1e-6 * std::abs(z);
  }
  const SlopeLaw* law() const override { return gaussian_ ? nullptr : &d2_; }

 private:
  SlopeLaw d2_;
  bool gaussian_;
};

}  // namespace

std::shared_ptr<const Factor> deep_factor(SlopeLaw d2, bool gaussian) {
  return std::make_shared<DeepFactor>(std::move(d2), gaussian);
}

}  // namespace rz::isometry
