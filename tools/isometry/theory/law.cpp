#include "tools/isometry/theory/law.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "tools/isometry/theory/product.h"
#include "tools/isometry/theory/relu_residual.h"

namespace rz::isometry {
namespace {

using FactorOf = std::shared_ptr<const Factor> (*)(SlopeLaw d2, bool gaussian);

// Equal layers as one factor.
class Parts {
 public:
  explicit Parts(FactorOf factor_of) : factor_of_(factor_of) {}
  void add(const LayerLaw& layer, double gate) {
    RZ_CHECK(value, std::isfinite(layer.q) && layer.q >= 0, "law: the variance q = {} must be at least 0", layer.q);
    RZ_CHECK(value, std::isfinite(layer.sigma_w) && layer.sigma_w > 0, "law: sigma_w = {} must be above 0",
             layer.sigma_w);
    RZ_CHECK(value, layer.count >= 1, "law: a count of {} layers, but it must be at least 1", layer.count);
    RZ_CHECK(value, std::isfinite(gate), "law: the gate {} is not finite", gate);
    const double scale = std::pow(gate * layer.sigma_w, 2);
    if (scale == 0) return;  // the identity
    const auto count = static_cast<double>(layer.count);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const LayerLaw& known = layers_[i];
      if (known.activation.function == layer.activation.function &&
          known.activation.parameter == layer.activation.parameter && known.q == layer.q &&
          known.weights == layer.weights && scales_[i] == scale) {
        parts_[i].count += count;
        return;
      }
    }
    layers_.push_back(layer);
    scales_.push_back(scale);
    parts_.push_back(
        {factor_of_(SlopeLaw(layer.activation, layer.q, scale), layer.weights == Weights::gaussian), count});
  }
  std::shared_ptr<const Product> product() const { return std::make_shared<Product>(parts_); }

 private:
  FactorOf factor_of_;
  std::vector<LayerLaw> layers_;
  std::vector<double> scales_;
  std::vector<Product::Part> parts_;
};

Law closed_law(ClosedS kind, const char* parameter, double value) {
  RZ_CHECK(value, std::isfinite(value) && value >= 0, "law: {} = {} must be at least 0", parameter, value);
  std::vector<Product::Part> parts;
  if (value > 0) parts.push_back({closed_factor(kind, value), 1});
  const auto product = std::make_shared<Product>(std::move(parts));
  return Law(product, product->summary());
}

}  // namespace

Law::Law(std::shared_ptr<const Product> product, TheorySpectrum summary)
    : product_(std::move(product)), summary_(std::move(summary)) {}

std::vector<double> Law::density(std::span<const double> lambda) const {
  for (const double x : lambda)
    RZ_CHECK(value, std::isfinite(x) && x > 0, "density: lambda = {} must be positive and finite", x);
  return product_->density(lambda);
}

std::vector<double> Law::grid(std::int64_t points) const {
  RZ_CHECK(value, points >= 2, "grid: {} points, but it takes at least 2", points);
  const double top = 2 * std::log(summary_.s_max);
  const double bottom = summary_.s_min > 0 ? std::max(2 * std::log(summary_.s_min), -700.0) : top - 30;
  std::vector<double> lambda(static_cast<std::size_t>(points));
  for (std::size_t i = 0; i < lambda.size(); ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(points - 1);
    lambda[i] = std::exp(bottom + part * (top - bottom));
  }
  return lambda;
}

Law deep_law(std::span<const LayerLaw> layers) {
  RZ_CHECK(value, !layers.empty(), "law: no layers");
  Parts parts(deep_factor);
  for (const LayerLaw& layer : layers) parts.add(layer, 1);
  const auto product = parts.product();
  return Law(product, product->summary());
}

Law residual_law(std::span<const ResidualLayerLaw> layers, nn::Branch order) {
  RZ_CHECK(value, !layers.empty(), "law: no layers");
  Parts parts(residual_factor);
  std::vector<double> relu_gates;
  bool all_relu = true;
  for (const auto& [branch, gate] : layers) {
    parts.add(branch, gate);
    relu_gates.insert(relu_gates.end(), static_cast<std::size_t>(branch.count), gate * branch.sigma_w);
    all_relu = all_relu && branch.activation.function == ScalarFunction::relu && branch.weights == Weights::gaussian;
  }
  const auto product = parts.product();
  TheorySpectrum summary = product->summary();
  if (all_relu && order == nn::Branch::activation_first) {
    const double variance = relu_variance(relu_gates);
    summary.correlated_slopes = variance > summary.variance_over_mean2 * (1 + 1e-9);
    summary.variance_over_mean2 = variance;
    const double mean = summary.moments[0];
    summary.moments.fill(std::numeric_limits<double>::quiet_NaN());
    summary.moments[0] = mean;
    summary.moments[1] = mean * mean * (1 + summary.variance_over_mean2);
  } else if (all_relu) {
    if (const double outlier = relu_outlier(relu_gates); outlier > summary.s_max * (1 + 1e-6))
      summary.outliers.push_back(outlier);
  }
  return Law(product, std::move(summary));
}

Law residual_limit_law(double t) { return closed_law(ClosedS::residual_limit, "t", t); }

Law universal_law(Universality universality, double variance) {
  const ClosedS kind = universality == Universality::smooth ? ClosedS::smooth : ClosedS::bernoulli;
  return closed_law(kind, "variance", variance);
}

}  // namespace rz::isometry
