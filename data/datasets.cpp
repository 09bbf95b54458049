#include "data/datasets.h"

#include <algorithm>

#include "core/error.h"
#include "core/nearest.h"
#include "data/cifar10.h"
#include "data/cifar100.h"
#include "data/csv_dataset.h"
#include "data/mnist.h"
#include "data/npy_dataset.h"
#include "data/published.h"
#include "data/text.h"

namespace rz {
namespace {

struct DatasetEntry {
  DatasetDescription description;
  DataSplits (*load)(const DatasetOptions& options);
};

const DatasetEntry entries[] = {
    {{"shapes", false, "drawn shapes, made by the program", {3, 32, 32}, 10},
     [](const DatasetOptions& options) { return make_shapes(options.shapes); }},
    {{"cifar10",
      true,
      "CIFAR-10 in its binary layout, from a folder with data_batch_1.bin ... test_batch.bin",
      {3, 32, 32},
      10},
     [](const DatasetOptions& options) { return load_cifar10(options.path); }},
    {{"cifar100", true, "CIFAR-100 in its binary layout, from a folder with train.bin and test.bin", {3, 32, 32}, 100},
     [](const DatasetOptions& options) {
       return load_cifar100(options.path, options.labels == "coarse" ? Cifar100Labels::coarse : Cifar100Labels::fine);
     }},
    {{"mnist", true, "MNIST, from a folder with train-images-idx3-ubyte(.gz) and so on", {1, 28, 28}, 10},
     [](const DatasetOptions& options) { return load_mnist(options.path); }},
    {{"fashion_mnist", true, "Fashion-MNIST, in the layout of MNIST", {1, 28, 28}, 10},
     [](const DatasetOptions& options) { return load_fashion_mnist(options.path); }},
    {{"npy", true, "your own arrays, from a folder with x.npy and y.npy", {}, 0},
     [](const DatasetOptions& options) { return load_npy_dataset(options.path, options.classes); }},
    {{"csv", true, "your own numbers, from a folder with train.csv", {}, 0},
     [](const DatasetOptions& options) {
       return load_csv_dataset(options.path, options.label_column, options.classes);
     }},
    {{"enwik8", true, "the first 100,000,000 bytes of Wikipedia, the file or a folder with enwik8", {}, 256, true},
     [](const DatasetOptions& options) { return load_published_text(options.path, "enwik8", options.text); }},
    {{"text8", true, "Wikipedia in letters and blanks, the file or a folder with text8", {}, 256, true},
     [](const DatasetOptions& options) { return load_published_text(options.path, "text8", options.text); }},
    {{"text", true, "your own text by bytes or words, a file or a folder with train.txt and so on", {}, 0, true},
     [](const DatasetOptions& options) { return load_text(options.path, options.text); }},
    {{"sources", false, "this project's own sources and documents", {}, 256, true},
     [](const DatasetOptions& options) { return make_sources(options.text); }},
    {{"reverse", false, "symbols to be repeated backwards, made by the program", {}, 11, true},
     [](const DatasetOptions& options) { return make_reverse(options.reverse); }},
};

const DatasetEntry& entry_named(std::string_view name) {
  std::vector<std::string_view> names;
  for (const DatasetEntry& entry : entries) {
    if (entry.description.name == name) return entry;
    names.push_back(entry.description.name);
  }
  RZ_FAIL(value, "data set: {}", unknown_name(printable(name), names));
}

}  // namespace

std::span<const DatasetDescription> dataset_list() {
  static const std::vector<DatasetDescription> list = [] {
    std::vector<DatasetDescription> out;
    for (const DatasetEntry& entry : entries) out.push_back(entry.description);
    return out;
  }();
  return list;
}

const DatasetDescription& dataset_description(std::string_view name) { return entry_named(name).description; }

DatasetDescription describe_dataset(const DatasetOptions& options) {
  DatasetDescription description = dataset_description(options.name);
  if (options.name == "cifar100") {
    RZ_CHECK(value, options.labels == "fine" || options.labels == "coarse",
             "data: the labels of cifar100 are fine or coarse, not {}", printable(options.labels));
    if (options.labels == "coarse") description.classes = 20;
  } else if (options.name == "reverse") {
    check_reverse_options(options.reverse);
    description.image_shape = {2 * options.reverse.length};
    description.classes = static_cast<int>(options.reverse.symbols) + 1;
  } else if (description.is_text) {
    check_text_options(options.text);
    description.image_shape = {options.text.context};
    description.classes = options.text.level == "word" ? 0 : 256;
  }
  return description;
}

DataSplits load_dataset(const DatasetOptions& options) {
  const DatasetEntry& entry = entry_named(options.name);
  const bool given = !options.path.empty(), needed = entry.description.needs_path;
  const std::string fetch = entry.description.known() ? " (" + fetch_command(options.name, "DIR") + ")" : "";
  RZ_CHECK(value, given || !needed, "data: {} needs a path: the folder of its files{}{}", options.name,
           entry.description.is_text ? ", or the file" : "", fetch);
  RZ_CHECK(value, !given || needed, "data: {} is made by the program and has no path, but {} was given", options.name,
           printable(options.path));
  return entry.load(options);
}

}  // namespace rz
