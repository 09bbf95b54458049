#include "data/npy_dataset.h"

#include <cmath>

#include "core/error.h"
#include "data/file.h"
#include "data/labelled_arrays.h"
#include "data/npy.h"
#include "data/published.h"

namespace rz {
namespace {

template <class T>
void check_values(const Tensor& x, const std::string& path) {
  const T* values = x.data<T>();
  const std::int64_t features = x.elements() / x.shape()[0];
  for (std::int64_t k = 0; k < x.elements(); ++k) {
    const auto value = static_cast<double>(values[k]);
    RZ_CHECK(file, std::isfinite(value), "{}: entry {} of record {} is not finite (both count from 0)", path,
             k % features, k / features);
    RZ_CHECK(file, fits_f32(value), "{}: entry {} of record {} is {}, beyond the range of f32 (both count from 0)",
             path, k % features, k / features, value);
  }
}

void check_inputs(const Tensor& x, const std::string& path) {
  const Shape& shape = x.shape();
  RZ_CHECK(file, shape.rank() == 2 || shape.rank() == 4,
           "{}: has shape {}, [N, features] or [N, channels, height, width] is needed{}", path, shape,
           shape.rank() == 3 ? " (x.reshape(N, 1, height, width))" : "");
  RZ_CHECK(file, shape.elements() > 0, "{}: is empty: its shape is {}", path, shape);
  RZ_CHECK(file, x.dtype() == DType::u8 || is_real(x.dtype()),
           "{}: holds {}, pixels are u1 and other inputs f2, f4 or f8 (x.astype('float32'))", path, x.dtype());
  RZ_CHECK(file, x.dtype() != DType::u8 || shape.rank() == 2 || shape[1] <= 3,
           "{}: has pixels of {} channels, 1 to 3 are normalised (store x as f4, and it is used as it is)", path,
           shape.rank() == 4 ? shape[1] : 1);
  if (x.dtype() == DType::f32) check_values<float>(x, path);
  if (x.dtype() == DType::f64) check_values<double>(x, path);
}

LabelledArrays read_arrays(const std::string& folder, const std::string& suffix) {
  LabelledArrays arrays;
  arrays.file = folder + "/x" + suffix + ".npy";
  const std::string path = folder + "/y" + suffix + ".npy";
  arrays.x = load_npy(arrays.file);
  check_inputs(arrays.x, arrays.file);
  const Tensor y = load_npy(path);
  RZ_CHECK(file, !is_real(y.dtype()), "{}: holds {}, labels are integers (y.astype('int64'))", path, y.dtype());
  RZ_CHECK(file, y.shape().rank() == 1, "{}: has shape {}, labels are [N]", path, y.shape());
  RZ_CHECK(file, y.shape()[0] == arrays.x.shape()[0], "{}: has {} labels for the {} examples of {}", path, y.shape()[0],
           arrays.x.shape()[0], arrays.file);
  arrays.labels = y.to_integers();
  arrays.place_before = path + ": record ";
  return arrays;
}

}  // namespace

DataSplits load_npy_dataset(std::string_view folder, std::int64_t classes) {
  const std::string full = require_folder_of(folder, "x.npy and y.npy");
  std::optional<LabelledArrays> validation;
  const bool x = is_file(full + "/x_validation.npy"), y = is_file(full + "/y_validation.npy");
  RZ_CHECK(file, x == y, "{}/{}_validation.npy: is not there, but {}_validation.npy is (the two belong together)", full,
           x ? "y" : "x", x ? "x" : "y");
  LabelledArrays train = read_arrays(full, "");
  if (x) validation = read_arrays(full, "_validation");
  return make_splits("npy", std::move(train), std::move(validation), classes);
}

}  // namespace rz
