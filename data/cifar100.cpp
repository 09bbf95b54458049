#include "data/cifar100.h"

#include <span>

#include "core/error.h"
#include "data/cifar.h"
#include "data/published.h"

namespace rz {
namespace {

// The order of fine_label_names.txt and coarse_label_names.txt in the published archive.
constexpr std::string_view fine_names[] = {
    "apple",      "aquarium_fish", "baby",         "bear",       "beaver",      "bed",         "bee",
    "beetle",     "bicycle",       "bottle",       "bowl",       "boy",         "bridge",      "bus",
    "butterfly",  "camel",         "can",          "castle",     "caterpillar", "cattle",      "chair",
    "chimpanzee", "clock",         "cloud",        "cockroach",  "couch",       "crab",        "crocodile",
    "cup",        "dinosaur",      "dolphin",      "elephant",   "flatfish",    "forest",      "fox",
    "girl",       "hamster",       "house",        "kangaroo",   "keyboard",    "lamp",        "lawn_mower",
    "leopard",    "lion",          "lizard",       "lobster",    "man",         "maple_tree",  "motorcycle",
    "mountain",   "mouse",         "mushroom",     "oak_tree",   "orange",      "orchid",      "otter",
    "palm_tree",  "pear",          "pickup_truck", "pine_tree",  "plain",       "plate",       "poppy",
    "porcupine",  "possum",        "rabbit",       "raccoon",    "ray",         "road",        "rocket",
    "rose",       "sea",           "seal",         "shark",      "shrew",       "skunk",       "skyscraper",
    "snail",      "snake",         "spider",       "squirrel",   "streetcar",   "sunflower",   "sweet_pepper",
    "table",      "tank",          "telephone",    "television", "tiger",       "tractor",     "train",
    "trout",      "tulip",         "turtle",       "wardrobe",   "whale",       "willow_tree", "wolf",
    "woman",      "worm"};
constexpr std::string_view coarse_names[] = {"aquatic_mammals",
                                             "fish",
                                             "flowers",
                                             "food_containers",
                                             "fruit_and_vegetables",
                                             "household_electrical_devices",
                                             "household_furniture",
                                             "insects",
                                             "large_carnivores",
                                             "large_man-made_outdoor_things",
                                             "large_natural_outdoor_scenes",
                                             "large_omnivores_and_herbivores",
                                             "medium_mammals",
                                             "non-insect_invertebrates",
                                             "people",
                                             "reptiles",
                                             "small_mammals",
                                             "trees",
                                             "vehicles_1",
                                             "vehicles_2"};

// With room for the published number of images.
Dataset empty_set(const char* name, Cifar100Labels labels, std::int64_t published_size) {
  Dataset data{.name = name, .class_names = {}, .pixels = {}, .labels = {}};
  const std::span<const std::string_view> names =
      labels == Cifar100Labels::fine ? std::span<const std::string_view>(fine_names) : coarse_names;
  data.class_names.assign(names.begin(), names.end());
  data.pixels.reserve(static_cast<std::size_t>(published_size * data.features()));
  return data;
}

}  // namespace

void parse_cifar100(std::string_view bytes, std::string_view what, Cifar100Labels labels, Dataset& data) {
  parse_cifar(bytes, what, cifar100_layout, labels == Cifar100Labels::coarse ? 0 : 1, data);
}

DataSplits load_cifar100(std::string_view folder, Cifar100Labels labels) {
  const std::string full = require_folder(folder, "cifar100", "train.bin and test.bin");
  RZ_CHECK(file, is_file(full + "/train.bin") || !is_file(full + "/data_batch_1.bin"),
           "{}: holds data_batch_1.bin but no train.bin, as CIFAR-10 does (data.name = \"cifar10\"; or {})", full,
           fetch_command("cifar100", "DIR"));
  DataSplits splits{empty_set("cifar100 train", labels, 50000), empty_set("cifar100 validation", labels, 10000)};
  parse_cifar100(read_published(full, "train.bin", "cifar100"), full + "/train.bin", labels, splits.train);
  parse_cifar100(read_published(full, "test.bin", "cifar100"), full + "/test.bin", labels, splits.validation);
  return splits;
}

}  // namespace rz
