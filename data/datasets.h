// Data sets by name, for recipes and for `rezero info`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "data/dataset.h"
#include "data/shapes.h"

namespace rz {

struct DatasetDescription {
  std::string_view name;
  bool needs_path;
  std::string_view summary;  // one line
  Shape image_shape;
  int classes;
};

struct DatasetOptions {
  std::string name = "shapes";
  std::string path;      // folder of the files; empty for data sets that the program makes
  ShapesOptions shapes;  // for "shapes" alone
};

std::span<const DatasetDescription> dataset_list();
const DatasetDescription& dataset_description(std::string_view name);  // Throws: value (unknown; lists the known ones)
DataSplits load_dataset(const DatasetOptions& options);  // Throws: value (unknown, a path missing or too many), file

}  // namespace rz
