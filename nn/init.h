// Initialisers: the start values of parameters. Drawn on the host in f64.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "autograd/parameter.h"
#include "core/shape.h"

namespace rz::nn::init {

Initializer constant(double value);
Initializer values(std::vector<double> given);  // as many as the parameter has
Initializer normal(double standard_deviation);
Initializer uniform(double bound);  // [-bound, bound)
Initializer scaled(Initializer values, double factor);

// The named ones, for a weight [out, in] with fan_in = in, fan_out = out, or kernels [out, in, height, width] with
// fan_in = in height width, fan_out = out height width:
//   kaiming_normal, kaiming_uniform   variance gain^2 / fan_in, gain sqrt(2)              (He et al. 2015)
//   xavier_normal, xavier_uniform     variance 2 gain^2 / (fan_in + fan_out), gain 1      (Glorot, Bengio 2010)
//   lecun_normal, lecun_uniform       variance gain^2 / fan_in, gain 1
//   orthogonal                        gain times a matrix with orthonormal rows or columns, Haar distributed: QR of a
//   Gaussian matrix with the signs of R's
//                                     diagonal (Mezzadri 2007)
//   identity                          gain times the identity, 0 outside the leading square
//   delta_orthogonal                  of kernels of odd sides: gain times such a matrix in the centre, 0 elsewhere, so
//   that the convolution with stride 1 is an isometry, or the transpose of one (Xiao et al. 2018, 1806.05393, Alg. 1)
std::span<const std::string_view> names();
// Throws: value (unknown name, with the nearest one), shape (neither, or not the one that it needs).
Initializer named(std::string_view name, const Shape& shape, std::optional<double> gain = {});

}  // namespace rz::nn::init
