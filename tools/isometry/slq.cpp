#include "tools/isometry/slq.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/linalg.h"
#include "tools/isometry/lanczos.h"

namespace rz::isometry {

std::vector<Quadrature> lanczos_quadrature(const LinearOperator& op, std::int64_t steps, std::int64_t probes,
                                           std::uint64_t seed) {
  const LinearOperator tall = op.rows < op.cols ? transposed(op) : op;
  RZ_CHECK(value, probes >= 1 && steps >= 1 && steps <= tall.cols,
           "quadrature: {} probes of {} steps: at least one, of 1 to {}, is needed", probes, steps, tall.cols);
  const Tensor starts = signs(probes, tall.cols, seed, "quadrature/probes");
  std::vector<Quadrature> rules;
  for (std::int64_t probe = 0; probe < probes; ++probe) {
    const Svd parts = svd(bidiagonalize(tall, starts.rows(probe, 1), steps, false, seed).matrix());
    const std::int64_t s = std::ssize(parts.sigma);
    Quadrature rule;
    for (std::int64_t i = 0; i < s; ++i) {
      const double sigma = parts.sigma[static_cast<std::size_t>(i)], first = parts.vt.data<double>()[i * s];
      rule.lambda.push_back(sigma * sigma);
      rule.weight.push_back(first * first);
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

Estimate spectral_mean(std::span<const Quadrature> rules, const std::function<double(double)>& f) {
  RZ_CHECK(value, !rules.empty(), "quadrature: a mean needs at least one probe");
  std::vector<double> means;
  for (const Quadrature& rule : rules) {
    double sum = 0;
    for (std::size_t i = 0; i < rule.lambda.size(); ++i) sum += rule.weight[i] * f(rule.lambda[i]);
    means.push_back(sum);
  }
  return mean_of(means);
}

std::vector<double> smoothed_density(std::span<const Quadrature> rules, std::span<const double> lambda, double width) {
  RZ_CHECK(value, width > 0, "quadrature: the width of a density is {}, but must be positive", width);
  std::vector<double> density;
  for (const double x : lambda) {
    density.push_back(spectral_mean(rules, [&](double node) {
                        const double z = (x - node) / width;
                        return std::exp(-0.5 * z * z) / (width * std::sqrt(2 * std::numbers::pi));
                      }).value);
  }
  return density;
}

}  // namespace rz::isometry
