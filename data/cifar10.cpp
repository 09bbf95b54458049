#include "data/cifar10.h"

#include "core/error.h"
#include "data/cifar.h"
#include "data/published.h"

namespace rz {
namespace {

// With room for the published number of images: nothing is moved while the files are appended.
Dataset empty_set(const char* name, std::int64_t published_size) {
  Dataset data{
      .name = name,
      .class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
      .pixels = {},
      .labels = {}};
  data.pixels.reserve(static_cast<std::size_t>(published_size * data.features()));
  return data;
}

}  // namespace

void parse_cifar10(std::string_view bytes, std::string_view what, Dataset& data) {
  parse_cifar(bytes, what, cifar10_layout, 0, data);
}

DataSplits load_cifar10(std::string_view folder) {
  const std::string full =
      require_folder(folder, "cifar10", "data_batch_1.bin ... data_batch_5.bin and test_batch.bin");
  RZ_CHECK(file, is_file(full + "/data_batch_1.bin") || !is_file(full + "/train.bin"),
           "{}: holds train.bin but no data_batch_1.bin, as CIFAR-100 does (data.name = \"cifar100\"; or {})", full,
           fetch_command("cifar10", "DIR"));
  const auto append = [&](const std::string& name, Dataset& data) {
    parse_cifar10(read_published(full, name, "cifar10"), full + "/" + name, data);
  };
  DataSplits splits{empty_set("cifar10 train", 50000), empty_set("cifar10 validation", 10000)};
  for (int batch = 1; batch <= 5; ++batch) append("data_batch_" + std::to_string(batch) + ".bin", splits.train);
  append("test_batch.bin", splits.validation);
  return splits;
}

}  // namespace rz
