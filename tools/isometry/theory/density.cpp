#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <optional>

#include "core/error.h"
#include "tools/isometry/theory/product.h"

namespace rz::isometry {

// A solution (z, state) of the master equation at a complex log lambda, that moves with it. The path keeps below the
// real axis, where nothing is singular.
class Continuation {
 public:
  Continuation(const Product& product, Complex log_lambda) : product_(product), log_lambda_(log_lambda) {
    double log_mean = 0;
    for (const Product::Part& part : product.parts_) log_mean += part.count * part.factor->log_mean;
    z_ = std::exp(log_mean - log_lambda);
    state_.resize(product.states_);
    std::size_t at = 0;
    for (const Product::Part& part : product.parts_) {
      part.factor->start(z_, std::span(state_).subspan(at, part.factor->states()));
      at += part.factor->states();
    }
    RZ_ASSERT(newton(log_lambda));
  }
  Complex z() const { return z_; }
  // One step of Newton's method to convergence; nothing changes where it fails or leaves the upper half-plane.
  bool newton(Complex target) {
    Complex z = z_;
    std::vector<Complex> state = state_;
    double last = 1;
    for (int i = 0; i < 20; ++i) {
      const Product::Master at = product_.master(z, state);
      const Complex dz = (target - at.log_lambda.value) / at.log_lambda.slope;
      double change = std::abs(dz) / std::abs(z);
      z += dz;
      for (std::size_t k = 0; k < state.size(); ++k) {
        const Complex d = at.change[k].value + at.change[k].slope * dz;
        change = std::max(change, std::abs(d));
        state[k] += d;
      }
      if (!(change < 3) || !inside(z, state)) return false;
      // The next change would be about the square, but for rounding, which grows towards a hard edge.
      if (change < 1e-9 || (change < 1e-6 && change > 0.5 * last)) {
        z_ = z;
        state_ = std::move(state);
        log_lambda_ = target;
        return true;
      }
      last = change;
    }
    return false;
  }
  // By as many steps as it takes; false where it goes no further.
  bool move(Complex target) {
    double fraction = 1;
    while (log_lambda_ != target) {
      const Complex next = fraction == 1 ? target : log_lambda_ + fraction * (target - log_lambda_);
      if (newton(next)) {
        fraction = std::min(1.0, 2 * fraction);
      } else {
        fraction /= 2;
        if (fraction < 1e-6) return false;
      }
    }
    return true;
  }

 private:
  bool inside(Complex z, const std::vector<Complex>& state) const {
    std::size_t at = 0;
    for (const Product::Part& part : product_.parts_) {
      for (const std::size_t end = at + part.factor->states(); at < end; ++at) {
        if (!(state[at].imag() >= 0 && state[at].imag() <= part.factor->argument)) return false;
      }
    }
    return z.imag() >= 0;
  }
  const Product& product_;
  Complex log_lambda_, z_;
  std::vector<Complex> state_;
};

namespace {

// lambda rho(lambda), from a solution beside the real axis.
double weight_at(Continuation beside, double log_lambda, double offset) {
  double before = 0;
  for (; offset > 1e-13; offset /= 8) {
    Continuation real = beside;
    if (real.newton(log_lambda) && real.z().imag() > 1e-9 * std::abs(real.z()))
      return real.z().imag() / std::numbers::pi;
    before = beside.z().imag();
    if (!beside.move({log_lambda, -offset / 8})) break;
  }
  const double height = beside.z().imag();
  return height < 0.25 * before ? 0 : height / std::numbers::pi;  // in a gap it falls like the offset
}

}  // namespace

std::vector<double> Product::density(std::span<const double> lambda) const {
  std::vector<double> rho(lambda.size());
  const std::vector<LogAtom> positive_atoms = atoms();
  double atoms_mass = 1 - lowest_rank();
  for (const LogAtom& atom : positive_atoms) atoms_mass += atom.mass;
  if (atoms_mass > 1 - 1e-12) return rho;
  const double top = log_top(), bottom = log_bottom();
  if (const auto one = single()) {
    const double scale = std::exp(one->second);
    std::ranges::transform(lambda, rho.begin(), [&](double x) {
      return std::log(x) < top - 1e-13 ? one->first->density(x / scale) / scale : 0;  // not at the hard edge itself
    });
    return rho;
  }
  std::vector<std::size_t> order(lambda.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return lambda[a] > lambda[b]; });
  double variance = 0;
  for (const Part& part : parts_) variance += part.count * part.factor->relative_variance;
  RZ_CHECK(value, variance > 1e-12,
           "density: lambda varies by {} of its mean, too little for a density in double precision; take the edges",
           std::sqrt(variance));
  const double offset = 0.25 * std::min(1.0, std::sqrt(variance));
  Continuation beside(*this, {top + 5, -offset});
  std::optional<double> rest;  // the density at all lambda that are left
  for (const std::size_t i : order) {
    const double x = std::log(lambda[i]);
    if (x >= top - 1e-13 || x <= bottom + 1e-13) continue;  // not at a hard edge itself
    // Nor at an atom, a pole of z.
    if (std::ranges::any_of(positive_atoms, [&](const LogAtom& a) { return std::abs(x - a.log_lambda) < 1e-6; }))
      continue;
    // No further: below the nodes that stand for a law near 0 no mass is left, or that of slopes that are 0 in doubles.
    if (!rest && !beside.move({x, -offset}))
      rest = beside.z().imag() < 1e-4 ? 0 : std::numeric_limits<double>::quiet_NaN();
    rho[i] = rest ? *rest : weight_at(beside, x, offset) / lambda[i];
  }
  return rho;
}

}  // namespace rz::isometry
