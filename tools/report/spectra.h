// Results of isometry in files and pictures.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/named_tensor.h"
#include "tools/isometry/spectrum.h"
#include "tools/report/chart.h"

namespace rz::report {

// One line, with its line feed:
//   {"schema": 1, "rows", "cols", "of", "from", "to" (of a stack between known hidden states), "method", "precision",
//    "floor",
//    "samples": [{"log10_singular_values", "singular_values", "resolved", "exact_zeros"}], "summary": {the fields of
//    isometry::Summary}}
// Doubles read back to the same value; null for log10 0 and for what is not finite.
std::string to_json(const isometry::Result& result);

// A line per singular value: sample, index, singular_value, resolved (1 or 0), exact_zero (1 or 0),
// log10_singular_value.
std::string to_csv(const isometry::Result& result);

// For save_npz: singular_values [samples, k] f64, floor [samples] f64, resolved and exact_zeros [samples] i64, shape
// i64 [rows, cols], log10_singular_values [samples, k] f64.
std::vector<NamedTensor> to_arrays(const isometry::Result& result);

// log10 sigma of the resolved values of all samples; how many lie below the floor or are exact zeros is text.
Panel spectrum_panel(std::string_view label, const isometry::Result& result);
Histogram spectrum_histogram(std::string_view title, std::vector<Panel> panels);

}  // namespace rz::report
