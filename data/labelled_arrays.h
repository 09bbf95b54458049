// What a user's own files hold (the data sets npy and csv), checked and brought into splits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace rz {

struct LabelledArrays {
  Tensor x;                          // [N, features] or [N, channels, height, width]; u8, f32 or f64
  std::vector<std::int64_t> labels;  // [N], as the file has them
  // Where the label of example i stands: "/a/y.npy: record " + (first + i) + "".
  std::string place_before, place_after;
  std::int64_t first = 0;
  std::string file;  // of x, for messages
};

// Whether a finite input can be computed with: most networks compute in f32.
bool fits_f32(double value);

// Without `validation` the last tenth of `train`, at least one example, is the validation split. Labels are 0 ...
// classes - 1; `classes` = 0 is the largest label of both + 1, and then labels that start at 1 are refused. Classes are
// named by their numbers. Throws: file (a label out of range, shapes that differ, fewer than two examples to share)
DataSplits make_splits(std::string_view name, LabelledArrays train, std::optional<LabelledArrays> validation,
                       std::int64_t classes);

}  // namespace rz
