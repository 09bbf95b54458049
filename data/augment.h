// Augmentation of training images: mirrored, cropped from a padded copy, a square cut out. What happens to example i of
// a set is a function of (options, seed, epoch, i) alone, whatever the batches, the threads and the place from which a
// run goes on.
//   bytes -> flip -> pad and crop -> normalise -> cutout
// as torchvision's RandomHorizontalFlip, RandomCrop(padding=p) and Normalize, and then Cutout (DeVries and Taylor 2017,
// arXiv 1708.04552).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "data/dataset.h"

namespace rz {

enum class CropFill {
  zero,    // padded pixels are black: byte 0, which is normalised like every other
  reflect  // the image mirrored at its edge pixels, which are not repeated: c b | a b c | b a
};

struct AugmentOptions {
  bool flip = false;              // left to right, of every second example
  std::int64_t crop_padding = 0;  // pixels on each side, fewer than the image has; the crop is as large as the image
  CropFill crop_fill = CropFill::zero;
  std::int64_t cutout = 0;  // side of the square, in pixels, at most the longer of height and width; 0: none
  bool any() const { return flip || crop_padding != 0 || cutout != 0; }
};

// What is drawn for an example in an epoch. Each part has numbers of its own: to switch one on leaves the others alone.
struct Augmentation {
  bool flipped = false;                            // with probability 1/2
  std::int64_t top = 0, left = 0;                  // of the crop in the padded image: uniform in 0 ... 2 crop_padding
  std::int64_t cutout_row = 0, cutout_column = 0;  // the square's centre: uniform over the image
  bool operator==(const Augmentation&) const = default;
};
Augmentation draw_augmentation(const AugmentOptions& options, const Shape& image_shape, std::uint64_t seed,
                               std::int64_t epoch, std::int64_t i);

// `image_shape`: of the examples of the set of this name.
// Throws: value (an option out of its range; examples that are not [channels, height, width] with one switched on)
void check_augmentation(const AugmentOptions& options, std::string_view dataset, const Shape& image_shape);
// Throws: as above, also for real values and tokens: there are no bytes to be moved.
void check_augmentation(const AugmentOptions& options, const Dataset& data);

// Decodes examples of a set with augmentation. It has scratch memory: one for each thread.
class Augmenter {
 public:
  // `data` must outlive the augmenter.   Throws: as check_augmentation
  Augmenter(const Dataset& data, const AugmentOptions& options);

  // Example i as it is in this epoch, normalised by `decode`: pixels [channels, height, width] of float or double. The
  // square of the cutout is 0, the mean colour; it is `cutout` rows from centre - cutout / 2 on, as far as they lie in
  // the image, and as many columns.
  template <class T>
  void operator()(std::int64_t i, std::uint64_t seed, std::int64_t epoch, const Decoder<T>& decode, T* pixels);

 private:
  const std::uint8_t* moved(const std::uint8_t* image, const Augmentation& drawn);

  const Dataset& data_;
  AugmentOptions options_;
  std::int64_t channels_ = 0, height_ = 0, width_ = 0;
  std::vector<std::int64_t> rows_, columns_;  // where each pixel of the crop lies in the image; -1: in black padding
  std::vector<std::uint8_t> crop_;            // [channels, height, width]
};

}  // namespace rz
