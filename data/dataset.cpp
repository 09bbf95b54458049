#include "data/dataset.h"

#include "core/error.h"
#include "data/checksum.h"

namespace rz {

std::int64_t Dataset::size() const { return is_text() ? windows.count(std::ssize(tokens)) : std::ssize(labels); }

void Dataset::keep(std::int64_t count) {
  if (is_text()) return tokens.resize(static_cast<std::size_t>(windows.tokens(count)));
  labels.resize(static_cast<std::size_t>(count));
  if (real()) {
    values = values.rows(0, count);
  } else {
    pixels.resize(static_cast<std::size_t>(count * features()));
  }
}

std::string Dataset::checksum() const {
  Checksum sum;
  const std::vector<std::uint16_t>& numbers = is_text() ? tokens : labels;
  if (classes() <= 256) {
    const std::vector<std::uint8_t> narrow(numbers.begin(), numbers.end());
    sum.add(narrow.data(), narrow.size());
  } else {
    sum.add(numbers.data(), numbers.size() * sizeof(numbers[0]));
  }
  sum.add(pixels.data(), pixels.size());
  if (real()) sum.add(values.raw(), values.bytes());
  return sum.text();
}

template <class T>
Decoder<T>::Decoder(const Shape& image_shape, const Normalisation& normalisation) {
  const int rank = image_shape.rank();
  channels_ = rank == 3 ? image_shape[0] : 1;
  RZ_CHECK(shape, (rank == 3 || rank == 1) && channels_ >= 1 && channels_ <= 3,
           "decoder: image shape {} needs 1 to 3 channels, height and width", image_shape);
  plane_ = image_shape.elements() / channels_;
  make_table(normalisation);
}

template <class T>
Decoder<T>::Decoder(const Dataset& data, const Normalisation& normalisation) {
  RZ_CHECK(dtype, !data.is_text(), "decoder: {} has tokens, not numbers", data.name);
  if (!data.real()) *this = Decoder(data.image_shape, normalisation);
}

template <class T>
void Decoder<T>::make_table(const Normalisation& normalisation) {
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

namespace {

template <class From, class T>
void convert(const From* from, T* to, std::int64_t count) {
  for (std::int64_t k = 0; k < count; ++k) to[k] = static_cast<T>(from[k]);
}

}  // namespace

template <class T>
void Decoder<T>::operator()(const Dataset& data, std::int64_t i, T* numbers) const {
  const std::int64_t features = data.features();
  if (!data.real()) return (*this)(data.image(i), numbers);
  if (data.values.dtype() == DType::f32) return convert(data.values.data<float>() + i * features, numbers, features);
  convert(data.values.data<double>() + i * features, numbers, features);
}

template class Decoder<float>;
template class Decoder<double>;

namespace {

template <class T>
void decode_into(const Dataset& data, std::int64_t first, const Normalisation& normalisation, const Tensor& images) {
  const Decoder<T> decode(data, normalisation);
  for (std::int64_t i = 0; i < images.shape()[0]; ++i) {
    decode(data, first + i, images.data<T>() + i * data.features());
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
