// Dataset: labelled images in memory, as bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace rz {

// Per channel (p / 255 - mean) / std. The default is that of the notebook: pixels in [-1, 1].
struct Normalisation {
  std::array<double, 3> mean{0.5, 0.5, 0.5};
  std::array<double, 3> std{0.5, 0.5, 0.5};
};

struct Dataset {
  std::string name;              // "shapes train"
  Shape image_shape{3, 32, 32};  // channels (1 or 3), height, width
  std::vector<std::string> class_names;
  std::vector<std::uint8_t> pixels;  // [size, channels, height, width]
  std::vector<std::uint8_t> labels;  // [size], less than classes()

  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
  std::int64_t features() const { return image_shape.elements(); }
  std::int64_t classes() const { return static_cast<std::int64_t>(class_names.size()); }
  std::int64_t label(std::int64_t i) const { return labels[static_cast<std::size_t>(i)]; }
  const std::uint8_t* image(std::int64_t i) const { return pixels.data() + i * features(); }
  std::string checksum() const;  // of labels and pixels
};

struct DataSplits {
  Dataset train, validation;
};

// Turns bytes into normalised numbers: a table of 256 values per channel, computed in f64. T is float or double.
template <class T>
class Decoder {
 public:
  // Throws: shape, value (a std that is not positive)
  Decoder(const Shape& image_shape, const Normalisation& normalisation);
  void operator()(const std::uint8_t* image, T* pixels) const;  // both [channels, height, width]

 private:
  std::int64_t channels_, plane_;
  std::array<std::array<T, 256>, 3> table_;
};

// Images first ... first + count - 1, normalised: [count, features]; f32 or f64.
// Throws: shape (outside the set), dtype
Tensor decode_images(const Dataset& data, std::int64_t first, std::int64_t count,
                     const Normalisation& normalisation = {}, DType dtype = DType::f32);

}  // namespace rz
