#include "data/cifar10.h"

#include <sys/stat.h>

#include "core/error.h"
#include "data/file.h"
#include "data/text.h"

namespace rz {
namespace {

constexpr std::int64_t image_bytes = 3 * 32 * 32, record_bytes = image_bytes + 1;

// With room for the published number of images: nothing is moved while the files are appended.
Dataset empty_set(const char* name, std::int64_t published_size) {
  Dataset data{
      .name = name,
      .class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"},
      .pixels = {},
      .labels = {}};
  data.pixels.reserve(static_cast<std::size_t>(published_size * image_bytes));
  return data;
}

// The other things that people have under these names.
std::string_view hint(std::string_view bytes) {
  if (bytes.starts_with("\x1f\x8b")) return " (it is compressed: unpack it)";
  if (bytes.starts_with("\x80\x02") || bytes.starts_with("\x80\x03") || bytes.starts_with("\x80\x04")) {
    return " (it is the Python version: the binary version is needed)";
  }
  return bytes.empty() ? " (it is empty)" : " (is it cut off, or another format?)";
}

}  // namespace

void parse_cifar10(std::string_view bytes, std::string_view what, Dataset& data) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  RZ_CHECK(file, size > 0 && size % record_bytes == 0, "{}: has {} bytes, CIFAR-10 files have whole records of {}{}",
           what, grouped(bytes.size()), grouped(record_bytes), hint(bytes));
  const std::int64_t records = size / record_bytes;
  for (std::int64_t i = 0; i < records; ++i) {
    const auto label = static_cast<std::uint8_t>(bytes[static_cast<std::size_t>(i * record_bytes)]);
    RZ_CHECK(file, label < data.classes(),
             "{}: record {} has label {}, labels are 0 to {} (damaged, or another format?)", what, i, label,
             data.classes() - 1);
  }
  for (std::int64_t i = 0; i < records; ++i) {
    const std::string_view record = bytes.substr(static_cast<std::size_t>(i * record_bytes), record_bytes);
    data.labels.push_back(static_cast<std::uint8_t>(record[0]));
    data.pixels.insert(data.pixels.end(), record.begin() + 1, record.end());
  }
}

DataSplits load_cifar10(std::string_view folder) {
  const std::string full = absolute(folder);
  struct stat status{};
  RZ_CHECK(file, stat(full.c_str(), &status) == 0 && S_ISDIR(status.st_mode),
           "{}: is no folder (it should hold data_batch_1.bin ... data_batch_5.bin and test_batch.bin)", full);
  const auto append = [&](const std::string& name, Dataset& data) {
    const std::string path = full + "/" + name;
    parse_cifar10(read_file(path), path, data);
  };
  DataSplits splits{empty_set("cifar10 train", 50000), empty_set("cifar10 validation", 10000)};
  for (int batch = 1; batch <= 5; ++batch) append("data_batch_" + std::to_string(batch) + ".bin", splits.train);
  append("test_batch.bin", splits.validation);
  return splits;
}

}  // namespace rz
