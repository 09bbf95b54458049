// The law of the eigenvalues lambda = sigma^2 of J J^T, J the input-output Jacobian of a random network, in the limit
// of infinite width: Pennington, Schoenholz & Ganguli (2017, 2018) for deep networks, Tarnowski et al. (2019) for
// residual ones. The matrices of different layers are taken as free, so the slopes phi' of different layers as
// independent.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/scalar_functions.h"
#include "nn/models/fully_connected.h"

namespace rz::isometry {

struct Atom {
  double lambda, mass;
};

// What is undefined is NaN, what is infinite infinity. lambda = sigma^2.
struct TheorySpectrum {
  double mean = 1, variance_over_mean2 = 0;
  double mean_log_sigma = 0;        // E ln sigma; -infinity with an atom at 0
  std::array<double, 6> moments{};  // E lambda, ..., E lambda^6
  double s_min = 1, s_max = 1;      // ends of the support in sigma, the atom at 0 left out
  std::vector<Atom> atoms;          // ascending
  std::vector<double> outliers;     // sigma; single values apart from the support, of mass 0
  bool correlated_slopes = false;   // edges and density are those of independent slopes, the real ones reach farther
};

class Product;

class Law {
 public:
  Law(std::shared_ptr<const Product> product, TheorySpectrum summary);
  const TheorySpectrum& summary() const { return summary_; }
  // rho(lambda) of the part without atoms, 0 outside of its support; at the given lambda > 0, in their order. NaN where
  // it would depend on slopes that are 0 in doubles, as of tanh far from 0.
  // Throws: value (a lambda that is not positive and finite; a law narrower than 1e-6 of its mean)
  std::vector<double> density(std::span<const double> lambda) const;
  // lambda, ascending, evenly spaced in log lambda, from s_min^2 to s_max^2, or from e^-30 s_max^2 where the support
  // reaches 0; none below e^-700.   Throws: value (points < 2)
  std::vector<double> grid(std::int64_t points) const;

 private:
  std::shared_ptr<const Product> product_;
  TheorySpectrum summary_;
};

enum class Weights { gaussian, orthogonal };

// `count` layers h = W phi(h) + b: W has entries of variance sigma_w^2 / N, or is sigma_w times an orthogonal matrix; q
// is the variance of phi's argument.
struct LayerLaw {
  Scalar activation;
  double q = 1, sigma_w = 1;
  Weights weights = Weights::gaussian;
  std::int64_t count = 1;
};
// Throws: value (no layers; q, sigma_w or count out of range; phi' = 0 at all arguments)
Law deep_law(std::span<const LayerLaw> layers);

// `branch.count` layers x + gate F(x). F = phi(W x + b) or W phi(x) + b; q is the variance of phi's argument.
struct ResidualLayerLaw {
  LayerLaw branch;
  double gate = 1;
};
// The law of independent slopes. Two things that real relu networks add are given for relu where all weights are
// Gaussian: with activation_first the masks of neighbouring layers are nearly equal, which widens the spectrum
// (variance_over_mean2 and m_2 are those of the real masks, higher moments NaN; edges and density are those of
// independent ones); with
// activation_last the branch has a mean, which gives one outlier.
// Throws: as deep_law; value (a gate that is not finite)
Law residual_law(std::span<const ResidualLayerLaw> layers, nn::Branch order);

// The residual law for many layers of small gates, t = sum_l a_l^2 sigma_w^2 E phi'^2: symmetric under sigma -> 1 /
// sigma.
Law residual_limit_law(double t);  // Throws: value (t negative or not finite)

// Limits of deep orthogonal networks at a fixed variance of lambda with mean 1 (Pennington et al. 2018): smooth phi,
// and phi of slope 0 or 1.
enum class Universality { smooth, bernoulli };
Law universal_law(Universality universality, double variance);  // Throws: value (variance negative or not finite)

}  // namespace rz::isometry
