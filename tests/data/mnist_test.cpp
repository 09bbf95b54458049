#include "data/mnist.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "data/datasets.h"
#include "data/file.h"
#include "data/gzip.h"
#include "data/idx.h"
#include "support/close.h"
#include "support/packed.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;

namespace {

// Image i has pixels i.
std::string images(unsigned count, unsigned rows = 28) {
  std::string bytes;
  for (unsigned i = 0; i < count; ++i) bytes.append(std::size_t{rows} * 28, static_cast<char>(i));
  return idx_file({count, rows, 28}, bytes);
}
std::string labels(const std::string& bytes) { return idx_file({static_cast<unsigned>(bytes.size())}, bytes); }

void write_mnist(const TemporaryFolder& folder) {
  write_atomically(folder / "train-images-idx3-ubyte", images(3));
  write_atomically(folder / "train-labels-idx1-ubyte", labels("\x07\x09\x01"));
  write_atomically(folder / "t10k-images-idx3-ubyte", images(2));
  write_atomically(folder / "t10k-labels-idx1-ubyte", labels("\x05\x03"));
}

std::string mnist_refusal(const TemporaryFolder& folder) {
  return message_of(ErrorCode::file, [&] { load_mnist(folder.path()); });
}
std::string unreadable(const std::string& bytes) {
  return message_of(ErrorCode::file, [&] { parse_idx(bytes, "f"); });
}

}  // namespace

TEST_SUITE("data/mnist") {
  TEST_CASE("mnist: plain files, with dots, and compressed") {
    const TemporaryFolder folder;
    write_mnist(folder);
    const DataSplits plain = load_dataset({.name = "mnist", .path = folder.path(), .shapes = {}});
    CHECK(plain.train.size() == 3);
    CHECK(plain.train.image_shape == Shape{1, 28, 28});
    CHECK(plain.train.label(1) == 9);
    CHECK(plain.train.image(2)[783] == 2);
    CHECK(plain.validation.label(1) == 3);
    CHECK(plain.validation.name == "mnist validation");

    const TemporaryFolder dotted;
    write_atomically(dotted / "train-images.idx3-ubyte", images(3));
    write_atomically(dotted / "train-labels.idx1-ubyte.gz", gzip(labels("\x07\x09\x01")));
    write_atomically(dotted / "t10k-images-idx3-ubyte.gz", gzip(images(2)));
    write_atomically(dotted / "t10k-labels.idx1-ubyte", labels("\x05\x03"));
    const DataSplits other = load_fashion_mnist(dotted.path());
    CHECK(other.train.checksum() == plain.train.checksum());
    CHECK(other.validation.checksum() == plain.validation.checksum());
    CHECK(other.train.class_names[9] == "Ankle boot");
    CHECK(plain.train.class_names[9] == "9");
  }

  TEST_CASE("mnist: files that are missing, do not belong together, or hold something else") {
    const TemporaryFolder folder;
    write_mnist(folder);
    const auto with = [&](const std::string& name, const std::string& bytes) {
      write_mnist(folder);
      write_atomically(folder / name, bytes);
      return mnist_refusal(folder);
    };
    const std::string train_images = folder / "train-images-idx3-ubyte",
                      train_labels = folder / "train-labels-idx1-ubyte";
    CHECK(mentions(with("train-images-idx3-ubyte", ""), {train_images + ": is empty"}));
    CHECK(mentions(with("train-labels-idx1-ubyte", labels("\x01\x02")),
                   {train_labels + ": has 2 labels for the 3 images of " + train_images}));
    CHECK(mentions(with("train-labels-idx1-ubyte", labels("\x01\x02\x0a")),
                   {train_labels + ": record 2 has label 10, labels are 0 to 9"}));
    CHECK(mentions(with("train-images-idx3-ubyte", images(3).substr(0, 1000)),
                   {train_images + ": is cut off: it holds 984 of the 2,352 bytes"}));
    CHECK(mentions(with("t10k-images-idx3-ubyte", images(2) + "x"), {"t10k-images-idx3-ubyte: goes on for 1 bytes"}));
    CHECK(mentions(with("train-images-idx3-ubyte", images(3, 27)), {"images of 27 x 28", "28 x 28"}));
    CHECK(mentions(with("train-images-idx3-ubyte", labels("abc")), {"has 1 dimensions, images have 3"}));
    CHECK(mentions(with("train-images-idx3-ubyte", images(0)), {"holds no image"}));
    write_mnist(folder);
    std::filesystem::remove(train_labels);
    CHECK(mentions(mnist_refusal(folder), {train_labels + ": is not there, and neither is it with .gz",
                                           "(rezero data fetch mnist --out " + folder.path() + ")"}));
    CHECK(mentions(message_of(ErrorCode::file, [&] { load_fashion_mnist(folder / "none"); }),
                   {folder / "none: is no folder", "rezero data fetch fashion_mnist --out "}));
  }

  TEST_CASE("idx: headers") {
    CHECK(parse_idx(idx_file({2, 3}, "abcdef")).extents == std::vector<std::int64_t>{2, 3});
    CHECK(parse_idx(gzip(idx_file({2, 3}, "abcdef"))).bytes == "abcdef");
    CHECK(parse_idx(idx_file({0, 3}, "")).bytes.empty());
    const std::string good = idx_file({2, 3}, "abcdef");
    for (std::size_t size = 0; size < good.size(); ++size) CHECK(!unreadable(good.substr(0, size)).empty());
    CHECK(mentions(unreadable("PK\x03\x04 and more"), {"f: is no IDX file"}));
    CHECK(mentions(unreadable(std::string("\0\0\x0d\x01", 4)), {"type 13", "bytes (type 8) are read"}));
    CHECK(mentions(unreadable(idx_file({}, "x")), {"0 dimensions"}));
    CHECK(mentions(unreadable(idx_file({1, 1, 1, 1, 1, 1, 1}, "x")), {"7 dimensions"}));
    CHECK(mentions(unreadable(idx_file({4294967295u, 4294967295u, 4294967295u}, "x")), {"64 bits"}));
    CHECK(mentions(unreadable(idx_file({4294967295u, 2147483647u}, "x")), {"cut off: it holds 1 of the 9,223,"}));
  }

  TEST_CASE("gzip: no more is unpacked than the header says, and damage is seen") {
    const std::string good = gzip(idx_file({3, 1000}, std::string(3000, 'a')));
    for (std::size_t size = 2; size < good.size(); ++size) CHECK(!unreadable(good.substr(0, size)).empty());
    CHECK(mentions(unreadable(good.substr(0, good.size() - 9)), {"f: is cut off"}));
    CHECK(mentions(unreadable(gzip(idx_file({2}, "abc"))), {"f: goes on after the end that its header gives"}));
    CHECK(mentions(unreadable(gzip(idx_file({4}, "abc"))), {"f: is cut off: it holds 3 of the 4 bytes"}));
    CHECK(mentions(unreadable(gzip(idx_file({4294967295u, 2}, "abc"))),
                   {"f: claims 8,589,934,590 bytes, more than its"}));
    CHECK(mentions(unreadable(good + "more"), {"f: has other bytes after its compressed data"}));
    CHECK(mentions(unreadable(good + good), {"f: goes on after the end that its header gives"}));
    // Members one after the other are one file; each is checked.
    const std::string whole = idx_file({3, 1000}, std::string(3000, 'a'));
    for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{12}, std::size_t{1500}, whole.size()}) {
      const std::string first = gzip(whole.substr(0, cut)), second = gzip(whole.substr(cut));
      CHECK(parse_idx(first + second).bytes == std::string(3000, 'a'));
      CHECK(mentions(unreadable(first + second.substr(0, second.size() - 1)), {"f: is cut off"}));
      CHECK(mentions(unreadable(first + second + "more"), {"f: has other bytes after its compressed data"}));
    }
    std::string wrong = good;
    wrong[good.size() - 8] = static_cast<char>(wrong[good.size() - 8] ^ 1);  // the checksum
    CHECK(mentions(unreadable(wrong), {"f: is damaged: incorrect data check"}));
    CHECK(mentions(unreadable("\x1f\x8b no gzip at all"), {"f: is damaged"}));
  }
}
