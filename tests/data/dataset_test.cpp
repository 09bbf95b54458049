#include "data/dataset.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "data/checksum.h"
#include "data/cifar10.h"
#include "data/csv.h"
#include "data/datasets.h"
#include "data/file.h"
#include "support/close.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;

namespace {

// Records whose pixels all have the value of the label times ten.
std::string records(std::initializer_list<int> labels) {
  std::string bytes;
  for (int label : labels) {
    bytes += static_cast<char>(label);
    bytes.append(3072, static_cast<char>(10 * label));
  }
  return bytes;
}

void write_cifar10(const TemporaryFolder& folder) {
  for (const char* n : {"1", "2", "3", "4", "5"})
    write_atomically(folder / "data_batch_" + n + ".bin", records({3, 9}));
  write_atomically(folder / "test_batch.bin", records({0}));
}

}  // namespace

TEST_SUITE("data/dataset") {
  TEST_CASE("dataset: normalisation per channel, in f32 and f64") {
    Dataset data{.name = "two", .image_shape = {3, 1, 2}, .class_names = {"a", "b"}, .pixels = {}, .labels = {1, 0}};
    data.pixels = {0, 255, 51, 102, 153, 204, 1, 2, 3, 4, 5, 6};
    CHECK(data.size() == 2);
    CHECK(data.features() == 6);
    CHECK(data.label(0) == 1);
    const Tensor first = decode_images(data, 0, 1, {}, DType::f64);
    CHECK(first.shape() == Shape{1, 6});
    CHECK(close(first, {-1, 1, -0.6, -0.2, 0.2, 0.6}, 1e-15));
    CHECK(identical(decode_images(data, 0, 1), first.to(DType::f32)));
    const Normalisation other{.mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}};
    CHECK(close(decode_images(data, 1, 1, other, DType::f64).to_vector()[5], (6 / 255.0 - 0.406) / 0.225, 1e-15));
    CHECK(decode_images(data, 2, 0).shape() == Shape{0, 6});
    CHECK(
        mentions(message_of(ErrorCode::shape, [&] { decode_images(data, 1, 2); }), {"2 images from 1 on", "two", "2"}));
    CHECK(mentions(message_of(ErrorCode::dtype, [&] { decode_images(data, 0, 1, {}, DType::i64); }), {"i64"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { decode_images(data, 0, 1, {.mean = {}, .std = {1, 0, 1}}); }),
                   {"channel 1"}));

    const std::string sum = data.checksum();
    data.pixels[3] ^= 1;
    CHECK(data.checksum() != sum);
  }

  TEST_CASE("checksum: the published value of nothing, and pieces") {
    CHECK(checksum_of(nullptr, 0) == "xxh3-128:99aa06d3014798d86001c324468d497f");
    Checksum pieces;
    pieces.add("ab", 2);
    pieces.add("c", 1);
    CHECK(pieces.text() == checksum_of("abc", 3));
  }

  TEST_CASE("datasets: by name") {
    CHECK(dataset_list().size() >= 2);
    CHECK(dataset_description("cifar10").needs_path);
    CHECK(dataset_description("shapes").image_shape == Shape{3, 32, 32});
    CHECK(load_dataset({.name = "shapes", .path = "", .shapes = {.train = 3, .validation = 2}}).train.size() == 3);
    const auto refused = [](const std::string& name, const std::string& path) {
      return message_of(ErrorCode::value, [&] { load_dataset({.name = name, .path = path, .shapes = {}}); });
    };
    CHECK(mentions(refused("cifar-10", ""),
                   {"data set: 'cifar-10' is not known", "did you mean 'cifar10'?", "there are shapes, cifar10"}));
    CHECK(mentions(refused("cifar10", ""), {"cifar10 needs a path", "(rezero data fetch cifar10 --out DIR)"}));
    CHECK(mentions(refused("npy", ""), {"npy needs a path: the folder of its files"}));
    CHECK(mentions(refused("shapes", "/x"), {"shapes is made by the program", "/x"}));
  }

  TEST_CASE("cifar10: records, splits and names") {
    const TemporaryFolder folder;
    write_cifar10(folder);
    const DataSplits splits = load_dataset({.name = "cifar10", .path = folder.path(), .shapes = {}});
    CHECK(splits.train.size() == 10);
    CHECK(splits.validation.size() == 1);
    CHECK(splits.train.label(0) == 3);
    CHECK(splits.train.label(9) == 9);
    CHECK(splits.train.class_names[3] == "cat");
    CHECK(splits.train.image(1)[0] == 90);
    CHECK(splits.train.image(1)[3071] == 90);
  }

  TEST_CASE("cifar10: files that are missing, cut off, of another format or damaged") {
    const TemporaryFolder folder;
    write_cifar10(folder);
    const auto refused = [&](const std::string& path) {
      return message_of(ErrorCode::file, [&] { load_cifar10(path); });
    };
    const auto with = [&](const std::string& bytes) {
      write_atomically(folder / "data_batch_2.bin", bytes);
      return refused(folder.path());
    };
    const std::string file = folder / "data_batch_2.bin";
    CHECK(mentions(with(records({1, 2}).substr(1)), {file + ": has 6,145 bytes", "whole records of 3,073", "cut off"}));
    CHECK(mentions(with(""), {file, "it is empty"}));
    CHECK(mentions(with("\x1f\x8b" + std::string(100, 'x')), {file, "it is compressed"}));
    CHECK(mentions(with("\x80\x02}q"), {file, "Python version"}));
    CHECK(mentions(with(records({1, 11})), {file + ": record 1 has label 11, labels are 0 to 9"}));
    std::filesystem::remove(folder / "data_batch_2.bin");
    CHECK(refused(folder.path()) ==
          file + ": cannot be read: No such file or directory (rezero data fetch cifar10 --out " + folder.path() + ")");
    CHECK(mentions(refused(folder / "none"), {folder / "none: is no folder", "data_batch_1.bin"}));
    CHECK(mentions(refused(folder / "test_batch.bin"), {"is no folder"}));
    CHECK(mentions(refused("none"), {std::filesystem::current_path().string() + "/none"}));
  }

  TEST_CASE("csv: numbers in their shortest form, names quoted where they must be") {
    Csv csv({"sample", "a,b", "say \"x\""});
    csv.row({0, 0.1, -1e-300}).row({1, std::numeric_limits<double>::infinity(), std::nan("")});
    CHECK(csv.text() == "sample,\"a,b\",\"say \"\"x\"\"\"\n0,0.1,-1e-300\n1,inf,nan\n");
    CHECK(mentions(message_of(ErrorCode::value, [&] { csv.row({1}); }), {"1 values", "3 columns"}));
  }
}
