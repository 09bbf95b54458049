#include "tools/isometry/theory/moment_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "core/error.h"
#include "core/parallel.h"

namespace rz::isometry {
namespace {

constexpr double q_low = 1e-9, per_e_fold = 32;
constexpr int points = 8;

// Weights of the polynomial through the nodes 0 ... 7 at x, 3 <= x <= 4 (Lagrange).
std::array<double, points> interpolation_weights(double x) {
  constexpr std::array<double, points> denominators{-5040, 720, -240, 144, -144, 240, -720, 5040};
  std::array<double, points> weights{};
  for (std::size_t i = 0; i < points; ++i) {
    double product = 1;
    for (std::size_t j = 0; j < points; ++j) {
      if (j != i) product *= x - static_cast<double>(j);
    }
    weights[i] = product / denominators[i];
  }
  return weights;
}

}  // namespace

MomentTable::MomentTable(Scalar phi, double q_high) : phi_(phi) {
  RZ_CHECK(value, q_high <= 1e9, "a table of moments: q_high = {} must not be above 10^9", q_high);
  const double e_folds = std::log(std::max(q_high, 1.0) / q_low);
  nodes_.resize(static_cast<std::size_t>(std::ceil(e_folds * per_e_fold)) + points);
  parallel_for(std::ssize(nodes_), [&](std::int64_t i) {
    nodes_[static_cast<std::size_t>(i)] = moments(phi_, q_low * std::exp(static_cast<double>(i) / per_e_fold));
  });
}

Moments MomentTable::operator()(double q) const {
  const double position = std::log(q / q_low) * per_e_fold;
  if (!(position >= 3 && position < static_cast<double>(nodes_.size() - 5))) return moments(phi_, q);
  const auto first = static_cast<std::size_t>(position) - 3;
  const std::array<double, points> weights = interpolation_weights(position - static_cast<double>(first));
  Moments sum;
  for (std::size_t i = 0; i < points; ++i) {
    const Moments& node = nodes_[first + i];
    sum.second += weights[i] * node.second;
    sum.slope += weights[i] * node.slope;
    sum.mu_1 += weights[i] * node.mu_1;
    sum.mu_2 += weights[i] * node.mu_2;
    sum.mean += weights[i] * node.mean;
  }
  return sum;
}

}  // namespace rz::isometry
