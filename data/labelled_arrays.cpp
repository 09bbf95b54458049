#include "data/labelled_arrays.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "data/text.h"

namespace rz {
namespace {

constexpr std::int64_t most_classes = 65536;  // labels are kept in 16 bits

LabelledArrays part(const LabelledArrays& all, std::int64_t first, std::int64_t count) {
  LabelledArrays out = all;
  out.x = all.x.rows(first, count);
  out.labels.assign(all.labels.begin() + first, all.labels.begin() + first + count);
  out.first += first;
  return out;
}

void check_labels(const LabelledArrays& data, std::int64_t classes) {
  const std::int64_t limit = classes > 0 ? classes : most_classes;
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    const std::int64_t label = data.labels[i];
    if (label >= 0 && label < limit) continue;
    const std::int64_t smallest = std::ranges::min(data.labels);
    RZ_FAIL(file, "{}{}{}: has label {}, labels are 0 to {}{}", data.place_before,
            data.first + static_cast<std::int64_t>(i), data.place_after, label, limit - 1,
            smallest == 1 && label == limit ? " (the labels of this file start at 1: subtract 1)"
            : classes > 0                   ? " (model.outputs is " + std::to_string(classes) + ")"
                                            : "");
  }
}

// Without a number of classes, labels 1 ... K would make a class 0 that has no example.
void check_start(const LabelledArrays& train, const LabelledArrays& validation) {
  if (std::min(std::ranges::min(train.labels), std::ranges::min(validation.labels)) != 1) return;
  const auto largest = std::ranges::max_element(train.labels);
  RZ_FAIL(file,
          "{}{}{}: has label {}, and no example has label 0: the labels of this file start at 1 (subtract 1, or set "
          "model.outputs)",
          train.place_before, train.first + (largest - train.labels.begin()), train.place_after, *largest);
}

Dataset to_dataset(std::string name, const LabelledArrays& arrays, std::int64_t classes) {
  Dataset data{.name = std::move(name),
               .image_shape = arrays.x.shape().without(0),
               .class_names = {},
               .pixels = {},
               .labels = {}};
  for (std::int64_t k = 0; k < classes; ++k) data.class_names.push_back(std::to_string(k));
  data.labels.assign(arrays.labels.begin(), arrays.labels.end());
  if (arrays.x.dtype() == DType::u8) {
    const std::uint8_t* bytes = arrays.x.data<std::uint8_t>();
    data.pixels.assign(bytes, bytes + arrays.x.elements());
  } else {
    data.values = arrays.x;
  }
  return data;
}

}  // namespace

bool fits_f32(double value) { return std::fabs(value) <= std::numeric_limits<float>::max(); }

DataSplits make_splits(std::string_view name, LabelledArrays train, std::optional<LabelledArrays> validation,
                       std::int64_t classes) {
  check_labels(train, classes);
  if (validation) {
    check_labels(*validation, classes);
    RZ_CHECK(file, validation->x.shape().without(0) == train.x.shape().without(0),
             "{}: has examples of {}, but those of {} are {}", validation->file, validation->x.shape().without(0),
             train.file, train.x.shape().without(0));
  } else {
    const auto size = static_cast<std::int64_t>(train.labels.size());
    RZ_CHECK(file, size >= 2, "{}: has {} example{}, at least 2 are needed to set one aside for validation", train.file,
             size, size == 1 ? "" : "s");
    const std::int64_t last = std::max<std::int64_t>(1, size / 10);
    validation = part(train, size - last, last);
    train = part(train, 0, size - last);
  }
  if (classes == 0) check_start(train, *validation);
  if (classes == 0) classes = std::max(std::ranges::max(train.labels), std::ranges::max(validation->labels)) + 1;
  return {to_dataset(std::string(name) + " train", train, classes),
          to_dataset(std::string(name) + " validation", *validation, classes)};
}

}  // namespace rz
