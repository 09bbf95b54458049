#include "data/dataset.h"

#include "core/error.h"
#include "data/checksum.h"

namespace rz {

std::string Dataset::checksum() const {
  Checksum sum;
  sum.add(labels.data(), labels.size());
  sum.add(pixels.data(), pixels.size());
  return sum.text();
}

template <class T>
Decoder<T>::Decoder(const Shape& image_shape, const Normalisation& normalisation)
    : channels_(image_shape[0]), plane_(image_shape.elements() / image_shape[0]) {
  RZ_CHECK(shape, image_shape.rank() == 3 && channels_ >= 1 && channels_ <= 3,
           "decoder: image shape {} needs 1 to 3 channels, height and width", image_shape);
  for (std::size_t c = 0; c < 3; ++c) {
    RZ_CHECK(value, normalisation.std[c] > 0, "decoder: the standard deviation {} of channel {} is not positive",
             normalisation.std[c], c);
    for (std::size_t p = 0; p < 256; ++p) {
      table_[c][p] = static_cast<T>((static_cast<double>(p) / 255 - normalisation.mean[c]) / normalisation.std[c]);
    }
  }
}

template <class T>
void Decoder<T>::operator()(const std::uint8_t* image, T* pixels) const {
  for (std::int64_t c = 0; c < channels_; ++c) {
    const std::array<T, 256>& table = table_[static_cast<std::size_t>(c)];
    for (std::int64_t k = c * plane_; k < (c + 1) * plane_; ++k) pixels[k] = table[image[k]];
  }
}

template class Decoder<float>;
template class Decoder<double>;

namespace {

template <class T>
void decode_into(const Dataset& data, std::int64_t first, const Normalisation& normalisation, const Tensor& images) {
  const Decoder<T> decode(data.image_shape, normalisation);
  for (std::int64_t i = 0; i < images.shape()[0]; ++i) {
    decode(data.image(first + i), images.data<T>() + i * data.features());
  }
}

}  // namespace

Tensor decode_images(const Dataset& data, std::int64_t first, std::int64_t count, const Normalisation& normalisation,
                     DType dtype) {
  RZ_CHECK(shape, first >= 0 && count >= 0 && count <= data.size() && first <= data.size() - count,
           "decode_images: {} images from {} on are not in {}, which has {}", count, first, data.name, data.size());
  RZ_CHECK(dtype, is_real(dtype), "decode_images: images are f32 or f64, not {}", dtype);
  Tensor images({count, data.features()}, dtype);
  if (dtype == DType::f32) {
    decode_into<float>(data, first, normalisation, images);
  } else {
    decode_into<double>(data, first, normalisation, images);
  }
  return images;
}

}  // namespace rz
