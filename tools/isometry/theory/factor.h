// One layer's part in the law of a product of free layers: its S-transform, as a curve with a state.
//
// Of a law of eigenvalues lambda let psi(chi) = sum_k m_k chi^k be the moment function and S(z) = chi(z) (1 + z) / z
// (Voiculescu 1987). S of a product of free factors is the product of their S, so the limit's Green function G is
//   log lambda = log((1 + z) / z) - sum_l log S_l(z),   z = lambda G(lambda) - 1,   density = Im z / (pi lambda).
// Only sums of logarithms occur: depth does not matter. A factor whose S has no formula takes unknowns of its own, its
// state; they are logarithms of its subordination functions, which lie in the upper half-plane with z (Biane 1998;
// Belinschi & Bercovici 2007): with logarithms rather than numbers there is one solution, whatever the number of
// Riemann sheets.
#pragma once

#include <complex>
#include <memory>
#include <numbers>
#include <span>
#include <vector>

#include "tools/isometry/theory/series.h"
#include "tools/isometry/theory/slope_law.h"

namespace rz::isometry {

using Complex = std::complex<double>;

struct Linear {  // value + slope dz
  Complex value, slope;
};

struct LogAtom {
  double log_lambda, mass;
};

class Factor {
 public:
  virtual ~Factor() = default;
  // The unknowns, `states()` of them.
  virtual std::size_t states() const = 0;
  // Newton's method at (z, state) while z moves by dz: log S there, and the change of the unknowns.
  virtual Linear newton(Complex z, std::span<const Complex> state, std::span<Linear> change) const = 0;
  // Near z = 0, to first order.
  virtual void start(Complex z, std::span<Complex> state) const = 0;
  // At a real z > 0 (lambda above the support) or z < -rank (below its positive part; also -rank < z < 0 for factors
  // with a rank above that of others). False where the factor itself has no such lambda.
  virtual bool real_state(double z, std::span<Complex> state) const = 0;
  // The law itself when it has a density that is known: d^2 alone, between orthogonal matrices.
  virtual const SlopeLaw* law() const { return nullptr; }

  double log_mean = 0, relative_variance = 0, mean_log = 0;  // of lambda; mean_log = E log lambda
  Series log_s{};                                            // log S(z) + log_mean
  std::vector<LogAtom> atoms;                                // but the one at 0
  double argument = std::numbers::pi;  // the unknowns have imaginary parts between 0 and this, where z has one above 0
  LogAtom top{0, 0}, bottom{0, 0};     // the end of the positive support, if it is an atom
  double rank = 1;                     // 1 - mass at 0
  bool gapped = false;                 // positive lambda are bounded away from 0
};

// lambda of W D, D^2 of the law d2, W of variance 1 / N (Gaussian) or orthogonal.
std::shared_ptr<const Factor> deep_factor(SlopeLaw d2, bool gaussian);
// lambda of 1 + W D.
std::shared_ptr<const Factor> residual_factor(SlopeLaw d2, bool gaussian);
enum class ClosedS { residual_limit, smooth, bernoulli };  // log S = -t (1 + 2 z), -t z, -t z / (1 + z)
std::shared_ptr<const Factor> closed_factor(ClosedS kind, double t);

}  // namespace rz::isometry
