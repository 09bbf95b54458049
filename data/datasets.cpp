#include "data/datasets.h"

#include <algorithm>

#include "core/error.h"
#include "core/nearest.h"
#include "data/cifar10.h"
#include "data/text.h"

namespace rz {
namespace {

struct Entry {
  DatasetDescription description;
  DataSplits (*load)(const DatasetOptions& options);
};

const Entry entries[] = {
    {{"shapes", false, "drawn shapes, made by the program", {3, 32, 32}, 10},
     [](const DatasetOptions& options) { return make_shapes(options.shapes); }},
    {{"cifar10",
      true,
      "CIFAR-10 in its binary layout, from a folder with data_batch_1.bin ... test_batch.bin",
      {3, 32, 32},
      10},
     [](const DatasetOptions& options) { return load_cifar10(options.path); }},
};

const Entry& entry_named(std::string_view name) {
  std::string known;
  std::vector<std::string_view> names;
  for (const Entry& entry : entries) {
    if (entry.description.name == name) return entry;
    names.push_back(entry.description.name);
    known += (known.empty() ? "" : ", ") + std::string(entry.description.name);
  }
  const std::string near = nearest(name, names);
  RZ_FAIL(value, "data: there is no data set '{}' ({}known: {})", printable(name),
          near.empty() ? "" : "did you mean '" + near + "'? ", known);
}

}  // namespace

std::span<const DatasetDescription> dataset_list() {
  static const std::vector<DatasetDescription> list = [] {
    std::vector<DatasetDescription> out;
    for (const Entry& entry : entries) out.push_back(entry.description);
    return out;
  }();
  return list;
}

const DatasetDescription& dataset_description(std::string_view name) { return entry_named(name).description; }

DataSplits load_dataset(const DatasetOptions& options) {
  const Entry& entry = entry_named(options.name);
  const bool given = !options.path.empty(), needed = entry.description.needs_path;
  RZ_CHECK(value, given || !needed, "data: {} needs a path: the folder of its files", options.name);
  RZ_CHECK(value, !given || needed, "data: {} is made by the program and has no path, but {} was given", options.name,
           printable(options.path));
  return entry.load(options);
}

}  // namespace rz
