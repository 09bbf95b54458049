// Data sets by name, for recipes and for `rezero info`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "data/csv.h"
#include "data/dataset.h"
#include "data/reverse.h"
#include "data/shapes.h"
#include "data/text_dataset.h"

namespace rz {

struct DatasetDescription {
  std::string_view name;
  bool needs_path;
  std::string_view summary;  // one line
  Shape image_shape;
  int classes;           // 0: this and image_shape are known once the files are open
  bool is_text = false;  // examples are tokens
  bool known() const { return classes > 0; }
};

struct DatasetOptions {
  std::string name = "shapes";
  std::string path;      // folder of the files, of a text also the file; empty for data sets that the program makes
  ShapesOptions shapes;  // for "shapes" alone
  std::string labels = "fine";  // or "coarse": for "cifar100" alone
  CsvColumn label_column{};     // for "csv" alone
  std::int64_t classes = 0;     // for "npy" and "csv": labels are below it; 0: the largest label + 1
  TextOptions text{};           // for texts alone
  ReverseOptions reverse{};     // for "reverse" alone
};

std::span<const DatasetDescription> dataset_list();
const DatasetDescription& dataset_description(std::string_view name);  // Throws: value (unknown; lists the known ones)
DatasetDescription describe_dataset(const DatasetOptions& options);    // with these options.   Throws: value
DataSplits load_dataset(const DatasetOptions& options);  // Throws: value (unknown, a path missing or too many), file

}  // namespace rz
