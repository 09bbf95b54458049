#include "data/csv_dataset.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "data/file.h"
#include "data/labelled_arrays.h"
#include "data/published.h"

namespace rz {
namespace {

LabelledArrays labelled_arrays(const std::string& path, const CsvTable& table) {
  RZ_CHECK(file, table.columns >= 2, "{}: has one column, features and a label are needed", path);
  LabelledArrays arrays;
  arrays.file = path;
  arrays.first = table.first_line;
  arrays.place_before = path + ": line ";
  arrays.place_after = ", column " + std::to_string(table.column + 1);
  arrays.x = Tensor({table.rows, table.columns - 1}, DType::f64);
  double* x = arrays.x.data<double>();
  for (std::int64_t row = 0; row < table.rows; ++row) {
    const double* values = table.values.data() + row * table.columns;
    for (std::int64_t k = 0; k < table.columns; ++k) {
      if (k == table.column) continue;
      RZ_CHECK(file, fits_f32(values[k]), "{}{}, column {}: {} is beyond the range of f32", arrays.place_before,
               arrays.first + row, k + 1, values[k]);
      *x++ = values[k];
    }
    const double number = values[table.column];
    RZ_CHECK(file, std::trunc(number) == number && std::fabs(number) < 1e15, "{}{}{}: label {} is no integer",
             arrays.place_before, arrays.first + row, arrays.place_after, number);
    arrays.labels.push_back(static_cast<std::int64_t>(number));
  }
  return arrays;
}

}  // namespace

DataSplits load_csv_dataset(std::string_view folder, const CsvColumn& label, std::int64_t classes) {
  const std::string full = require_folder_of(folder, "train.csv");
  const std::string first = full + "/train.csv", second = full + "/validation.csv";
  const CsvTable train = parse_csv(read_file(first), first, label);
  std::optional<LabelledArrays> validation;
  if (is_file(second)) {
    const CsvTable table = parse_csv(read_file(second), second, label);
    RZ_CHECK(file, train.header == table.header || !std::ranges::is_permutation(train.header, table.header),
             "{}: has the columns of {} in another order", second, first);
    validation = labelled_arrays(second, table);
  }
  return make_splits("csv", labelled_arrays(first, train), std::move(validation), classes);
}

}  // namespace rz
