// Integrals over z ~ N(0, 1) of chi s / (1 - chi s), s = s(z) analytic, for chi near a pole.
#pragma once

#include <array>
#include <complex>
#include <span>

namespace rz::isometry {

// 16 nodes of a Gauss-Legendre rule over [middle - half, middle + half], and ln s there as a polynomial. The rule errs
// where a pole, s(z) = 1 / chi, comes near the panel; as its place and residue are known, so is the error.
class Panel {
 public:
  static constexpr std::size_t order = 16;
  // z, weight (with the density of N(0, 1)) and ln s at the nodes, between low and high.
  Panel(double low, double high, std::span<const double> z, std::span<const double> weight,
        std::span<const double> log_s);
  struct Correction {
    std::complex<double> value, slope;  // slope: by log chi
  };
  // To be added to the rule's sum for chi = exp(log_chi).
  Correction correction(std::complex<double> log_chi) const;

 private:
  struct Jet {
    std::complex<double> value, derivative, second;
  };
  Jet log_s(std::complex<double> t) const;  // t = (z - middle) / half
  void find_extremum();
  std::array<std::complex<double>, 2> near_roots(std::complex<double> log_chi) const;  // of ln s = -log chi, about
  Correction error_at(std::complex<double> pole) const;

  double middle_, half_;
  std::array<double, order> node_{}, weight_{}, coefficient_{};  // on [-1, 1]
  double left_ = 0, center_ = 0, right_ = 0;                     // ln s at -1, 0, 1
  double extremum_, top_ = 0, bend_ = 0;                         // where ln s has one, or NaN; ln s, (ln s)'' there
};

}  // namespace rz::isometry
