// The law of d^2 = scale phi'(x)^2, x ~ N(0, q): what a layer's activation does to a Jacobian, as point masses.
#pragma once

#include <complex>
#include <vector>

#include "core/scalar_functions.h"
#include "tools/isometry/theory/panel.h"

namespace rz::isometry {

// With psi(chi) = E chi d^2 / (1 - chi d^2), the moment function.
class SlopeLaw {
 public:
  // phi' constant between kinks gives true point masses, of exact weight; other stretches the nodes of a quadrature
  // rule, less those that hold under 1e-17 of the mass: a support ends where they do.
  // Throws: value (q: see gaussian_rule; phi' is zero almost everywhere)
  SlopeLaw(Scalar phi, double q, double scale);

  struct Point {
    double value, mass;
    bool atom;
  };
  const std::vector<Point>& points() const { return points_; }  // ascending
  bool discrete() const;                                        // atoms alone
  double smallest_positive() const;
  double supremum() const { return supremum_; }
  double positive_mass() const { return positive_mass_; }
  double moment(int k) const;  // E (d^2 / m)^k, m = mean()
  double mean() const { return mean_; }
  double relative_variance() const { return relative_variance_; }
  double mean_log() const { return mean_log_; }
  double density(double value) const;  // of the part without atoms, by the change of variables from x

  struct Value {
    std::complex<double> psi, slope;  // psi, and d psi / d log chi
    std::complex<double> excess;      // psi / (chi m) - 1, m = mean(), without cancellation near chi = 0
  };
  Value psi(std::complex<double> log_chi) const;
  // The real chi with psi(chi) = z; z > 0, -positive_mass() < z < 0, or below -positive_mass() for a discrete law.
  double chi(double z) const;

 private:
  void add_stretch(double low, double high);
  double find_supremum() const;

  Scalar phi_;
  double q_, scale_, mean_ = 0, relative_variance_ = 0, mean_log_ = 0, positive_mass_ = 0;
  double supremum_ = 0;
  std::vector<Point> points_;
  std::vector<Panel> panels_;  // of the part without atoms
};

}  // namespace rz::isometry
