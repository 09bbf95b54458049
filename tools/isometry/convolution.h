// Singular values of a convolution as a linear map of images, by Fourier transform: exact for circular padding and
// stride 1. A plane wave of frequency (u, v) stays one; its channels are multiplied by the complex matrix [out, in]
//     A(u, v) = sum over k, l of W[:, :, k, l] exp(2 pi i (u k / height + v l / width)),
// and the singular values of the convolution are those of all A(u, v) together.
// Sedghi, Gupta, Long 2019, "The singular values of convolutional layers" (1805.10408).
// With zero padding they are an approximation, the better the larger the image is beside the kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "nn/module.h"
#include "tools/isometry/spectrum.h"

namespace rz::isometry {

// Cycles over the image's height and over its width. One of each pair (u, v), (-u, -v): down is from 0 to half the
// height; where it is either of them, across is not negative.
struct Frequency {
  std::int64_t down = 0, across = 0;
};

struct ConvolutionSpectrum {
  std::int64_t out = 0, in = 0, height = 0, width = 0;
  SampleSpectrum values;  // all height width min(out, in); the floor is the highest of the A(u, v)
  Frequency largest{};    // where the largest is, the lowest of those that are equal up to 1e-12; (-u, -v) has it, too
  double norm() const { return values.singular_values.front(); }  // of the operator
};

struct ConvolutionOptions {
  std::int64_t memory = std::int64_t{1} << 30;  // bytes, for the values
  // Called on one thread at a time with the share of the work that is done, from 0 to 1.
  std::function<void(double)> progress = [](double) {};
};

// weight [out, in, kernel height, kernel width], f32 or f64, computed in f64; images of height x width pixels. A kernel
// larger than the image wraps around it. A is real where (u, v) and (-u, -v) are the same frequency; of other pairs one
// is computed.   Throws: shape (another weight, an image without pixels), dtype, value (a weight that is not finite),
// BudgetError
ConvolutionSpectrum convolution_spectrum(const Tensor& weight, std::int64_t height, std::int64_t width,
                                         const ConvolutionOptions& options = {});

// The images that a convolution of a model reads and writes.
struct ConvolutionUse {
  std::int64_t height = 0, width = 0;          // pixels it reads
  std::int64_t out_height = 0, out_width = 0;  // fewer where it has a stride, or no padding
  bool keeps_size() const { return out_height == height && out_width == width; }
};
// Of the first convolution with this kernel, seen by running the model once on zeros; none where there is none.
std::optional<ConvolutionUse> use_of_kernel(const nn::Model& model, const Parameter& kernel);

}  // namespace rz::isometry
