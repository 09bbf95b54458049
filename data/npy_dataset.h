// npy: a user's own arrays in a folder. x.npy is [N, features] or [N, channels, height, width]: u1 are pixels, which
// are normalised (1 to 3 channels), f2, f4 and f8 are used as they are. y.npy is [N], integers from 0. With
// x_validation.npy and y_validation.npy those are the validation split, without them the last tenth of the examples is.
#pragma once

#include <cstdint>
#include <string_view>

#include "data/dataset.h"

namespace rz {

// `classes` = 0: the largest label + 1.   Throws: file (missing, damaged, of another shape or type, a value that is not
// finite, a label out of range)
DataSplits load_npy_dataset(std::string_view folder, std::int64_t classes = 0);

}  // namespace rz
