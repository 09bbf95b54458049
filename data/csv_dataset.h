// csv: a user's own numbers in a folder: train.csv, and validation.csv, without which the last tenth of the lines is
// the validation split. A column holds the labels, integers from 0; the others are features, used as they are (f64).
#pragma once

#include <cstdint>
#include <string_view>

#include "data/csv.h"
#include "data/dataset.h"

namespace rz {

// `classes` = 0: the largest label + 1.   Throws: file (names line and column)
DataSplits load_csv_dataset(std::string_view folder, const CsvColumn& label = {}, std::int64_t classes = 0);

}  // namespace rz
