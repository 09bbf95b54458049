#include "data/cifar100.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "data/cifar10.h"
#include "data/datasets.h"
#include "data/file.h"
#include "support/close.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;

namespace {

// A record whose pixels all have the value of the fine label.
std::string record(int coarse, int fine) {
  return std::string{static_cast<char>(coarse), static_cast<char>(fine)} + std::string(3072, static_cast<char>(fine));
}

void write_cifar100(const TemporaryFolder& folder) {
  write_atomically(folder / "train.bin", record(19, 23) + record(0, 99));
  write_atomically(folder / "test.bin", record(4, 0));
}

std::string cifar100_refusal(const std::string& path) {
  return message_of(ErrorCode::file, [&] { load_cifar100(path); });
}

}  // namespace

TEST_SUITE("data/cifar100") {
  TEST_CASE("cifar100: fine and coarse labels, with their names") {
    const TemporaryFolder folder;
    write_cifar100(folder);
    const DataSplits fine = load_dataset({.name = "cifar100", .path = folder.path(), .shapes = {}});
    CHECK(fine.train.classes() == 100);
    CHECK(fine.train.size() == 2);
    CHECK(fine.train.label(0) == 23);
    CHECK(fine.train.label(1) == 99);
    CHECK(fine.train.class_names[23] == "cloud");
    CHECK(fine.train.class_names[99] == "worm");
    CHECK(fine.train.image(1)[3071] == 99);
    CHECK(fine.validation.class_names[0] == "apple");
    const DataSplits coarse =
        load_dataset({.name = "cifar100", .path = folder.path(), .shapes = {}, .labels = "coarse"});
    CHECK(coarse.train.classes() == 20);
    CHECK(coarse.train.label(0) == 19);
    CHECK(coarse.train.class_names[19] == "vehicles_2");
    CHECK(coarse.validation.label(0) == 4);
    CHECK(coarse.train.pixels == fine.train.pixels);
    CHECK(describe_dataset({.name = "cifar100", .path = "", .shapes = {}, .labels = "coarse"}).classes == 20);
    CHECK(
        mentions(message_of(ErrorCode::value,
                            [] { describe_dataset({.name = "cifar100", .path = "", .shapes = {}, .labels = "all"}); }),
                 {"fine or coarse", "all"}));
  }

  TEST_CASE("cifar100: damaged files, and those of CIFAR-10") {
    const TemporaryFolder folder;
    write_cifar100(folder);
    const auto with = [&](const std::string& bytes) {
      write_atomically(folder / "train.bin", bytes);
      return cifar100_refusal(folder.path());
    };
    const std::string file = folder / "train.bin";
    CHECK(mentions(with(record(20, 3)), {file + ": record 0 has coarse label 20, labels are 0 to 19"}));
    CHECK(mentions(with(record(2, 3) + record(2, 100)), {file + ": record 1 has fine label 100, labels are 0 to 99"}));
    CHECK(mentions(with(record(2, 3).substr(2)), {"has 3,072 bytes, CIFAR-100 files have whole records of 3,074"}));
    CHECK(mentions(with(std::string(2 * 3073, '\1')),
                   {"CIFAR-100", "(it is a CIFAR-10 file, of records of 3,073: data.name = \"cifar10\")"}));
    std::filesystem::remove(folder / "train.bin");
    CHECK(mentions(cifar100_refusal(folder.path()), {file + ": cannot be read: No such file",
                                                     "(rezero data fetch cifar100 --out " + folder.path() + ")"}));
    write_atomically(folder / "data_batch_1.bin", std::string(3073, '\1'));
    CHECK(
        mentions(cifar100_refusal(folder.path()), {"data_batch_1.bin", "as CIFAR-10 does", "data.name = \"cifar10\""}));
  }

  TEST_CASE("cifar10: a file of CIFAR-100, or its folder, is recognised") {
    const TemporaryFolder folder;
    write_cifar100(folder);
    CHECK(mentions(message_of(ErrorCode::file, [&] { load_cifar10(folder.path()); }),
                   {"train.bin", "as CIFAR-100 does", "data.name = \"cifar100\""}));
    write_atomically(folder / "data_batch_1.bin", record(1, 1));
    CHECK(mentions(
        message_of(ErrorCode::file, [&] { load_cifar10(folder.path()); }),
        {"data_batch_1.bin: has 3,074 bytes, CIFAR-10 files have whole records of 3,073", "it is a CIFAR-100 file"}));
  }
}
