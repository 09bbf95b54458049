#include "data/mnist.h"

#include "core/error.h"
#include "data/file.h"
#include "data/idx.h"
#include "data/published.h"
#include "data/text.h"

namespace rz {
namespace {

struct Variant {
  std::string_view name;  // in recipes
  std::vector<std::string> class_names;
};

// The first of the four names that is there: dimensions is 3 for images, 1 for labels.
std::string find(const std::string& folder, const std::string& stem, int dimensions, const Variant& variant) {
  const std::string ending = "idx" + std::to_string(dimensions) + "-ubyte";
  for (const char* packed : {"", ".gz"}) {
    for (const char* separator : {"-", "."}) {
      std::string path = folder + "/" + stem + separator + ending + packed;
      if (is_file(path)) return path;
    }
  }
  RZ_FAIL(file, "{}/{}-{}: is not there, and neither is it with .gz ({})", folder, stem, ending,
          fetch_command(variant.name, folder));
}

IdxArray read_idx(const std::string& path, std::size_t dimensions) {
  IdxArray array = parse_idx(read_file(path), path);
  RZ_CHECK(file, array.extents.size() == dimensions, "{}: has {} dimensions, {} have {} (is it another file?)", path,
           array.extents.size(), dimensions == 3 ? "images" : "labels", dimensions);
  return array;
}

Dataset load_split(const std::string& folder, const std::string& stem, const char* split, const Variant& variant) {
  const std::string image_path = find(folder, stem + "-images", 3, variant);
  const std::string label_path = find(folder, stem + "-labels", 1, variant);
  const IdxArray images = read_idx(image_path, 3), labels = read_idx(label_path, 1);
  const std::int64_t size = images.extents[0];
  RZ_CHECK(file, size > 0, "{}: holds no image", image_path);
  RZ_CHECK(file, images.extents[1] == 28 && images.extents[2] == 28,
           "{}: holds images of {} x {}, those of {} are 28 x 28", image_path, images.extents[1], images.extents[2],
           variant.name);
  RZ_CHECK(file, labels.extents[0] == size, "{}: has {} labels for the {} images of {}", label_path,
           grouped(static_cast<std::uint64_t>(labels.extents[0])), grouped(static_cast<std::uint64_t>(size)),
           image_path);
  Dataset data{.name = std::string(variant.name) + " " + split,
               .image_shape = {1, 28, 28},
               .class_names = variant.class_names,
               .pixels = {images.bytes.begin(), images.bytes.end()},
               .labels = {}};
  data.labels.reserve(static_cast<std::size_t>(size));
  for (const char c : labels.bytes) {
    const auto label = static_cast<std::uint8_t>(c);
    RZ_CHECK(file, label < 10, "{}: record {} has label {}, labels are 0 to 9 (damaged, or another format?)",
             label_path, data.size(), label);
    data.labels.push_back(label);
  }
  return data;
}

DataSplits load(std::string_view folder, const Variant& variant) {
  const std::string full =
      require_folder(folder, variant.name, "train-images-idx3-ubyte.gz and the three files beside it");
  return {load_split(full, "train", "train", variant), load_split(full, "t10k", "validation", variant)};
}

}  // namespace

DataSplits load_mnist(std::string_view folder) {
  return load(folder, {"mnist", {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}});
}

DataSplits load_fashion_mnist(std::string_view folder) {
  return load(folder, {"fashion_mnist",
                       {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                        "Ankle boot"}});
}

}  // namespace rz
