// Dataset: labelled examples in memory: bytes to be normalised, real values used as they are, or windows of a stream of
// tokens.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/windows.h"

namespace rz {

// Per channel (p / 255 - mean) / std. The default is that of the notebook: pixels in [-1, 1].
struct Normalisation {
  std::array<double, 3> mean{0.5, 0.5, 0.5};
  std::array<double, 3> std{0.5, 0.5, 0.5};
};

// Exactly one of `pixels`, `values` and `tokens` is filled; tokens have no `labels` beside them.
struct Dataset {
  std::string name;              // "shapes train"
  Shape image_shape{3, 32, 32};  // of one example: channels, height, width; or features; or context
  std::vector<std::string> class_names;
  std::vector<std::uint8_t> pixels;     // [size, ...image_shape]: bytes, normalised when they are read
  std::vector<std::uint16_t> labels;    // [size], less than classes(), which is at most 65,536
  Tensor values{};                      // [size, ...image_shape], f32 or f64: used as they are
  std::vector<std::uint16_t> tokens{};  // a stream, each less than classes(): class_names is the vocabulary
  Windows windows{};                    // how examples lie in it

  std::int64_t size() const;  // examples
  std::int64_t features() const { return image_shape.elements(); }
  std::int64_t classes() const { return static_cast<std::int64_t>(class_names.size()); }
  std::int64_t label(std::int64_t i) const { return labels[static_cast<std::size_t>(i)]; }
  bool real() const { return values.defined(); }
  bool is_text() const { return !tokens.empty(); }
  const std::uint8_t* image(std::int64_t i) const { return pixels.data() + i * features(); }  // of bytes
  void keep(std::int64_t count);  // the first so many examples, at most size()
  std::string checksum() const;   // of labels or tokens (a byte each up to 256 classes, else two), bytes or values
};

struct DataSplits {
  Dataset train, validation;
  Dataset test{};  // empty for most sets
};

// Turns an example into numbers of type T (float or double): bytes by a table of 256 normalised values per channel,
// computed in f64; real values by conversion.
template <class T>
class Decoder {
 public:
  // For bytes [channels (1 to 3), height, width], or [features], which are one channel.
  // Throws: shape, value (a std that is not positive)
  Decoder(const Shape& image_shape, const Normalisation& normalisation);
  // For the examples of a set; real values need no normalisation.   Throws: as above, and dtype for tokens
  Decoder(const Dataset& data, const Normalisation& normalisation);
  void operator()(const std::uint8_t* image, T* pixels) const;             // both [...image_shape]
  void operator()(const Dataset& data, std::int64_t i, T* numbers) const;  // example i of the set it was made for

 private:
  void make_table(const Normalisation& normalisation);
  std::int64_t channels_ = 0, plane_ = 0;
  std::array<std::array<T, 256>, 3> table_{};
};

// Examples first ... first + count - 1, bytes normalised: [count, features]; f32 or f64.
// Throws: shape (outside the set), dtype
Tensor decode_images(const Dataset& data, std::int64_t first, std::int64_t count,
                     const Normalisation& normalisation = {}, DType dtype = DType::f32);

}  // namespace rz
