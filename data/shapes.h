// shapes: an embedded data set, drawn by the program. 32x32 RGB images of 10 shapes with random position, scale,
// rotation, colours, background and noise. Image i is a function of (options, i) alone: the same whatever the threads
// and the number of images.
#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace rz {

struct ShapesOptions {
  std::uint64_t seed = 1;
  // Images: indices 0 ... train - 1, and 2^40 ... 2^40 + validation - 1.
  std::int64_t train = 20000;
  std::int64_t validation = 4000;
  double position = 2.5;    // largest shift of the centre along each axis, in pixels
  double scale_low = 0.85;  // size of the shape, where 1 is a radius of 9 pixels: uniform from scale_low to scale_high
  double scale_high = 1.2;
  double rotation = 15;      // largest angle, in degrees
  double contrast = 0.25;    // least distance of the colours of shape and background, where black and white are 1 apart
  double background = 0.35;  // largest change of the background's colour from corner to corner
  double noise = 0.08;       // standard deviation of the noise of each pixel and channel; 1 is the range of a pixel
};

inline constexpr std::int64_t shapes_validation_start = std::int64_t{1} << 40;

// Throws: value (an option out of its range).
DataSplits make_shapes(const ShapesOptions& options = {});
// One image [3, 32, 32]; returns its label.
std::uint8_t draw_shape(const ShapesOptions& options, std::int64_t index, std::uint8_t* pixels);

}  // namespace rz
