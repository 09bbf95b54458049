#include "tools/rezero/contact_sheet.h"

#include <png.h>

#include <algorithm>
#include <array>

#include "core/error.h"

namespace rz::tool {
namespace {

constexpr std::int64_t per_side = 10, gap = 4;
constexpr std::int64_t small_side = 64, large_side = 256;  // of an image as it is drawn, about
constexpr std::uint8_t paper = 255;

// The first examples of each class, by class.
std::vector<std::vector<std::int64_t>> chosen(const Dataset& data) {
  std::vector<std::vector<std::int64_t>> rows(static_cast<std::size_t>(std::min(per_side, data.classes())));
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const auto label = static_cast<std::size_t>(data.label(i));
    if (label < rows.size() && std::ssize(rows[label]) < per_side) rows[label].push_back(i);
  }
  return rows;
}

// Numbers of an example as bytes: pixels are bytes already.
class Bytes {
 public:
  Bytes(const Dataset& data, const std::vector<std::vector<std::int64_t>>& rows)
      : data_(data), decode_(data, {}), numbers_(static_cast<std::size_t>(data.features())) {
    if (!data.real()) return;
    for (const auto& row : rows) {
      for (const std::int64_t i : row) {
        decode_(data, i, numbers_.data());
        const auto [low, high] = std::ranges::minmax(numbers_);
        low_ = std::min(low_, low);
        high_ = std::max(high_, high);
      }
    }
  }
  std::vector<std::uint8_t> of(std::int64_t i) {
    if (!data_.real()) return {data_.image(i), data_.image(i) + data_.features()};
    decode_(data_, i, numbers_.data());
    std::vector<std::uint8_t> bytes;
    const double range = high_ > low_ ? high_ - low_ : 1;
    for (const double number : numbers_) bytes.push_back(static_cast<std::uint8_t>((number - low_) / range * 255));
    return bytes;
  }

 private:
  const Dataset& data_;
  Decoder<double> decode_;
  std::vector<double> numbers_;
  double low_ = 1e300, high_ = -1e300;
};

// How many drawn pixels a pixel becomes, or how many pixels become a drawn one.
struct Scale {
  std::int64_t enlarge, thin;
  explicit Scale(std::int64_t side)
      : enlarge(std::max<std::int64_t>(1, small_side / side)), thin((side + large_side - 1) / large_side) {}
  std::int64_t drawn(std::int64_t extent) const { return (extent + thin - 1) / thin * enlarge; }
  std::int64_t source(std::int64_t at) const { return at / enlarge * thin; }
};

}  // namespace

bool is_drawable(const Dataset& data) {
  return data.image_shape.rank() == 3 && (data.image_shape[0] == 1 || data.image_shape[0] == 3);
}

Picture contact_sheet(const Dataset& data) {
  RZ_ASSERT(is_drawable(data));
  const std::int64_t channels = data.image_shape[0], height = data.image_shape[1], width = data.image_shape[2];
  const Scale scale(std::max(height, width));
  const auto rows = chosen(data);
  const std::int64_t cell_height = scale.drawn(height) + gap, cell_width = scale.drawn(width) + gap;
  Picture picture{per_side * cell_width + gap, std::ssize(rows) * cell_height + gap, {}};
  picture.pixels.assign(static_cast<std::size_t>(picture.width * picture.height * 3), paper);
  Bytes bytes(data, rows);
  for (std::int64_t row = 0; row < std::ssize(rows); ++row) {
    for (std::int64_t column = 0; column < std::ssize(rows[static_cast<std::size_t>(row)]); ++column) {
      const std::vector<std::uint8_t> image =
          bytes.of(rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)]);
      for (std::int64_t y = 0; y < scale.drawn(height); ++y) {
        std::uint8_t* out =
            picture.pixels.data() + ((gap + row * cell_height + y) * picture.width + gap + column * cell_width) * 3;
        for (std::int64_t x = 0; x < scale.drawn(width); ++x) {
          const std::int64_t at = scale.source(y) * width + scale.source(x);
          for (std::int64_t c = 0; c < 3; ++c)
            *out++ = image[static_cast<std::size_t>((channels == 3 ? c : 0) * height * width + at)];
        }
      }
    }
  }
  return picture;
}

std::string png(const Picture& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = PNG_FORMAT_RGB;
  const auto write = [&](void* memory, png_alloc_size_t& size) {
    const int done = png_image_write_to_memory(&image, memory, &size, 0, picture.pixels.data(), 0, nullptr);
    RZ_CHECK(library, done != 0, "png: libpng: {}", std::string_view(image.message));
  };
  png_alloc_size_t size = 0;
  write(nullptr, size);  // its size
  std::string bytes(size, '\0');
  write(bytes.data(), size);
  bytes.resize(size);
  return bytes;
}

}  // namespace rz::tool
