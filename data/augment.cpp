#include "data/augment.h"

#include <algorithm>

#include "core/error.h"
#include "core/random.h"
#include "data/text.h"

namespace rz {
namespace {

// Positions of an example in the stream of an epoch, and of each part among them: a draw takes one, rarely more.
constexpr int example_bits = 8;
constexpr std::uint64_t flip_at = 0, crop_at = 64, cutout_at = 128;

std::int64_t below(Random& draws, std::int64_t n) {
  return static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(n)));
}

// Where pixel `at` of an image that was padded lies in the image of this extent; -1: in black padding.
std::int64_t unpadded(std::int64_t at, std::int64_t padding, std::int64_t extent, CropFill fill) {
  const std::int64_t inside = at - padding;
  if (inside >= 0 && inside < extent) return inside;
  if (fill == CropFill::zero) return -1;
  return inside < 0 ? -inside : 2 * (extent - 1) - inside;
}

}  // namespace

Augmentation draw_augmentation(const AugmentOptions& options, const Shape& image_shape, std::uint64_t seed,
                               std::int64_t epoch, std::int64_t i) {
  Random draws(seed, stream_named("augment") + static_cast<std::uint64_t>(epoch));
  const std::uint64_t first = static_cast<std::uint64_t>(i) << example_bits;
  Augmentation drawn;
  if (options.flip) {
    draws.seek(first + flip_at);
    drawn.flipped = below(draws, 2) == 1;
  }
  if (options.crop_padding > 0) {
    draws.seek(first + crop_at);
    drawn.top = below(draws, 2 * options.crop_padding + 1);
    drawn.left = below(draws, 2 * options.crop_padding + 1);
  }
  if (options.cutout > 0) {
    draws.seek(first + cutout_at);
    drawn.cutout_row = below(draws, image_shape[1]);
    drawn.cutout_column = below(draws, image_shape[2]);
  }
  return drawn;
}

void check_augmentation(const AugmentOptions& options, std::string_view dataset, const Shape& image_shape) {
  if (!options.any()) return;
  RZ_CHECK(value, image_shape.rank() == 3,
           "augmentation: the examples of {} are {}, only images [channels, height, width] can be augmented (leave "
           "flip, crop_padding and cutout out)",
           printable(dataset), image_shape);
  const std::int64_t height = image_shape[1], width = image_shape[2];
  RZ_CHECK(value, options.crop_padding >= 0 && options.crop_padding < std::min(height, width),
           "augmentation: crop_padding is {}, but the images of {} are {} (0 to {})", options.crop_padding,
           printable(dataset), image_shape, std::min(height, width) - 1);
  RZ_CHECK(value, options.cutout >= 0 && options.cutout <= std::max(height, width),
           "augmentation: cutout is a square of {} pixels a side, but the images of {} are {} (0 to {})",
           options.cutout, printable(dataset), image_shape, std::max(height, width));
}

void check_augmentation(const AugmentOptions& options, const Dataset& data) {
  if (!options.any()) return;
  RZ_CHECK(value, !data.is_text() && !data.real(),
           "augmentation: the examples of {} are {}, only images of bytes can be augmented (leave flip, crop_padding "
           "and cutout out)",
           printable(data.name), data.is_text() ? "tokens" : "real values");
  check_augmentation(options, data.name, data.image_shape);
}

Augmenter::Augmenter(const Dataset& data, const AugmentOptions& options) : data_(data), options_(options) {
  check_augmentation(options, data);
  if (!options.any()) return;
  channels_ = data.image_shape[0];
  height_ = data.image_shape[1];
  width_ = data.image_shape[2];
  rows_.resize(static_cast<std::size_t>(height_));
  columns_.resize(static_cast<std::size_t>(width_));
  crop_.resize(static_cast<std::size_t>(data.features()));
}

template <class T>
void Augmenter::operator()(std::int64_t i, std::uint64_t seed, std::int64_t epoch, const Decoder<T>& decode,
                           T* pixels) {
  const Augmentation drawn = draw_augmentation(options_, data_.image_shape, seed, epoch, i);
  decode(moved(data_.image(i), drawn), pixels);
  if (options_.cutout == 0) return;
  const std::int64_t top = drawn.cutout_row - options_.cutout / 2, left = drawn.cutout_column - options_.cutout / 2;
  const std::int64_t first = std::max<std::int64_t>(left, 0), last = std::min(left + options_.cutout, width_);
  for (std::int64_t c = 0; c < channels_; ++c)
    for (std::int64_t y = std::max<std::int64_t>(top, 0); y < std::min(top + options_.cutout, height_); ++y)
      std::fill_n(pixels + (c * height_ + y) * width_ + first, last - first, T{0});
}

template void Augmenter::operator()(std::int64_t, std::uint64_t, std::int64_t, const Decoder<float>&, float*);
template void Augmenter::operator()(std::int64_t, std::uint64_t, std::int64_t, const Decoder<double>&, double*);

// The image, mirrored and cropped as drawn: in crop_, unless nothing moves.
const std::uint8_t* Augmenter::moved(const std::uint8_t* image, const Augmentation& drawn) {
  const std::int64_t padding = options_.crop_padding;
  if (!drawn.flipped && drawn.top == padding && drawn.left == padding) return image;
  for (std::int64_t y = 0; y < height_; ++y)
    rows_[static_cast<std::size_t>(y)] = unpadded(y + drawn.top, padding, height_, options_.crop_fill);
  for (std::int64_t x = 0; x < width_; ++x) {
    const std::int64_t column = unpadded(x + drawn.left, padding, width_, options_.crop_fill);
    columns_[static_cast<std::size_t>(x)] = drawn.flipped && column >= 0 ? width_ - 1 - column : column;
  }
  std::uint8_t* out = crop_.data();
  for (std::int64_t c = 0; c < channels_; ++c) {
    for (const std::int64_t row : rows_) {
      if (row < 0) {
        out = std::fill_n(out, width_, std::uint8_t{0});
        continue;
      }
      const std::uint8_t* const from = image + (c * height_ + row) * width_;
      for (const std::int64_t column : columns_) *out++ = column < 0 ? std::uint8_t{0} : from[column];
    }
  }
  return crop_.data();
}

}  // namespace rz
