#include <cmath>
#include <limits>

#include "tools/isometry/theory/factor.h"

namespace rz::isometry {
namespace {

class ClosedFactor : public Factor {
 public:
  ClosedFactor(ClosedS kind, double t) : kind_(kind), t_(t) {
    log_mean = kind == ClosedS::residual_limit ? t : 0;
    relative_variance = kind == ClosedS::residual_limit ? 2 * t : t;
    mean_log = kind == ClosedS::smooth ? -t / 2 : 0;
    gapped = true;
    log_s[1] = -relative_variance;
    if (kind != ClosedS::bernoulli) return;
    mean_log = -std::numeric_limits<double>::infinity();
    gapped = false;
    for (std::size_t k = 1; k < log_s.size(); ++k) log_s[k] = (k % 2 ? -1 : 1) * static_cast<long double>(t);
    if (t >= 1) return;
    top = {t, 1 - t};
    atoms.push_back(top);
  }
  std::size_t states() const override { return 0; }
  Linear newton(Complex z, std::span<const Complex>, std::span<Linear>) const override {
    if (kind_ == ClosedS::residual_limit) return {-t_ * (1.0 + 2.0 * z), -2 * t_};
    if (kind_ == ClosedS::smooth) return {-t_ * z, -t_};
    return {-t_ * z / (1.0 + z), -t_ / ((1.0 + z) * (1.0 + z))};
  }
  void start(Complex, std::span<Complex>) const override {}
  bool real_state(double, std::span<Complex>) const override { return true; }

 private:
  ClosedS kind_;
  double t_;
};

}  // namespace

std::shared_ptr<const Factor> closed_factor(ClosedS kind, double t) { return std::make_shared<ClosedFactor>(kind, t); }

}  // namespace rz::isometry
