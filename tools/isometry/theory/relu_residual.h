// What residual relu networks of Gaussian weights add to the law of independent slopes, to leading order in the width.
#pragma once

#include <span>

namespace rz::isometry {

// gates: gate * sigma_w of each layer.
// x + a W relu(x) from Gaussian x: var(lambda) / (E lambda)^2. The masks D of layers k and l are correlated through the
// stream: P(D_k = D_l = 1) = 1/4 + asin(c) / (2 pi), c the correlation of x_k and x_l (Cho & Saul 2009). Pairs of paths
// through two masks are followed from layer to layer.
// Of more than 2048 layers extrapolated, to 1e-6.
double relu_variance(std::span<const double> gates);

// x + a relu(W x) from x = relu(Gaussian): E relu'(W x) W has rank one, sigma_w 1 x^T / (|x| sqrt(2 pi N)), which gives
// one singular value apart from the others: that of the Jacobian on the span of the input and the vector of ones.
double relu_outlier(std::span<const double> gates);

}  // namespace rz::isometry
