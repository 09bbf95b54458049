// The data sets npy and csv: files of the user's own.
#include <doctest/doctest.h>

#include <cmath>

#include "data/csv_dataset.h"
#include "data/datasets.h"
#include "data/file.h"
#include "data/loader.h"
#include "data/npy.h"
#include "data/npy_dataset.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;

namespace {

Tensor integers(const std::vector<std::int64_t>& values) { return Tensor::of_integers({std::ssize(values)}, values); }

// Labels 0, 1, 2, 0, ...
Tensor labels_of(std::int64_t count) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(i % 3);
  return integers(values);
}

std::string refused_npy(const TemporaryFolder& folder, std::int64_t classes = 0) {
  return message_of(ErrorCode::file, [&] { load_npy_dataset(folder.path(), classes); });
}
std::string refused_csv(const TemporaryFolder& folder, const std::string& train, const CsvColumn& label = {},
                        std::int64_t classes = 0) {
  write_atomically(folder / "train.csv", train);
  return message_of(ErrorCode::file, [&] { load_csv_dataset(folder.path(), label, classes); });
}

}  // namespace

TEST_SUITE("data/own_data") {
  TEST_CASE("npy: real values are used as they are, the last tenth is validation") {
    const TemporaryFolder folder;
    const Tensor x = normal_input({25, 4}, "own data");
    save_npy(folder / "x.npy", x);
    save_npy(folder / "y.npy", labels_of(25));
    const DataSplits data = load_dataset({.name = "npy", .path = folder.path(), .shapes = {}});
    CHECK(data.train.size() == 23);
    CHECK(data.validation.size() == 2);
    CHECK(data.train.classes() == 3);
    CHECK(data.train.class_names[2] == "2");
    CHECK(data.train.image_shape == Shape{4});
    CHECK(data.train.pixels.empty());
    CHECK(identical(decode_images(data.train, 0, 23, {}, DType::f64), x.rows(0, 23)));
    CHECK(identical(decode_images(data.validation, 0, 2), x.rows(23, 2).to(DType::f32)));
    CHECK(data.validation.label(1) == 0);
    CHECK(load_npy_dataset(folder.path(), 7).train.classes() == 7);

    Dataset cut = data.train;
    cut.keep(5);
    CHECK(cut.size() == 5);
    CHECK(cut.checksum() != data.train.checksum());
    CHECK(identical(decode_images(cut, 4, 1, {}, DType::f64), x.rows(4, 1)));

    save_npy(folder / "x_validation.npy", x.rows(3, 7));
    save_npy(folder / "y_validation.npy", labels_of(7));
    const DataSplits given = load_npy_dataset(folder.path());
    CHECK(given.train.size() == 25);
    CHECK(identical(decode_images(given.validation, 0, 7, {}, DType::f64), x.rows(3, 7)));
  }

  TEST_CASE("npy: bytes are pixels, of images or of features") {
    const TemporaryFolder folder;
    save_npy(folder / "x.npy", Tensor::full({4, 3, 2, 2}, 255, DType::u8));
    save_npy(folder / "y.npy", labels_of(4));
    const DataSplits images = load_npy_dataset(folder.path());
    CHECK(images.train.image_shape == Shape{3, 2, 2});
    CHECK(!images.train.real());
    CHECK(close(decode_images(images.train, 0, 3), Tensor::full({3, 12}, 1), 0));
    save_npy(folder / "x.npy", Tensor::full({4, 5}, 0, DType::u8));
    CHECK(close(decode_images(load_npy_dataset(folder.path()).train, 0, 3), Tensor::full({3, 5}, -1), 0));
  }

  TEST_CASE("npy: a loader gives real values in its own type [threads]") {
    const TemporaryFolder folder;
    const Tensor x = normal_input({10, 3}, "own loader");
    save_npy(folder / "x.npy", x);
    save_npy(folder / "y.npy", labels_of(10));
    const DataSplits data = load_npy_dataset(folder.path());
    for (const DType dtype : {DType::f32, DType::f64}) {
      Loader loader(data.train, {.batch_size = 4, .shuffle = false, .normalisation = {}, .dtype = dtype});
      Batch batch;
      loader.start(0, 1);
      REQUIRE(loader.next(batch));
      CHECK(identical(batch.inputs, x.rows(4, 4).to(dtype)));
      CHECK(batch.labels.to_integers() == std::vector<std::int64_t>{1, 2, 0, 1});
    }
    Dataset broken = data.train;
    broken.values = broken.values.rows(0, 3);
    CHECK(mentions(message_of(ErrorCode::value, [&] { Loader loader(broken); }), {"9 labels and 9 values"}));
    broken = data.train;
    broken.pixels.resize(27);
    CHECK(mentions(message_of(ErrorCode::value, [&] { Loader loader(broken); }), {"both pixels and values"}));
  }

  TEST_CASE("npy: labels out of range are named with file and record") {
    const TemporaryFolder folder;
    save_npy(folder / "x.npy", normal_input({10, 2}, "own labels"));
    const std::string y = folder / "y.npy";
    const auto with = [&](const std::vector<std::int64_t>& values, std::int64_t classes) {
      save_npy(y, integers(values));
      return refused_npy(folder, classes);
    };
    CHECK(mentions(with({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 10),
                   {y + ": record 9: has label 10, labels are 0 to 9", "start at 1: subtract 1"}));
    CHECK(mentions(with({0, 2, 3, 4, 5, 6, 7, 8, 9, 12}, 10), {"record 9: has label 12", "model.outputs is 10"}));
    CHECK(mentions(with({0, -1, 0, 0, 0, 0, 0, 0, 0, 0}, 0), {y + ": record 1: has label -1"}));
    CHECK(mentions(with({0, 0, 0, 0, 0, 0, 0, 0, 0, 65536}, 0), {"record 9: has label 65536, labels are 0 to 65535"}));
    save_npy(y, integers({0, 0, 0, 0, 0, 0, 0, 0, 0, 65535}));
    const DataSplits wide = load_npy_dataset(folder.path());
    CHECK(wide.train.classes() == 65536);
    CHECK(wide.validation.label(0) == 65535);
    CHECK(wide.validation.checksum() != wide.train.checksum());
  }

  TEST_CASE("npy: arrays that do not fit") {
    const TemporaryFolder folder;
    const std::string x = folder / "x.npy", y = folder / "y.npy";
    const auto with = [&](const Tensor& inputs, const Tensor& labels) {
      save_npy(x, inputs);
      save_npy(y, labels);
      return refused_npy(folder);
    };
    CHECK(mentions(refused_npy(folder), {x + ": cannot be read: No such file"}));
    CHECK(mentions(with(Tensor::zeros({4, 3, 3}), labels_of(4)), {x + ": has shape [4, 3, 3]", "reshape"}));
    CHECK(mentions(with(Tensor::zeros({4}), labels_of(4)), {"[N, features]"}));
    CHECK(mentions(with(Tensor::zeros({0, 4}), labels_of(0)), {"is empty"}));
    CHECK(mentions(with(Tensor::zeros({4, 3}), labels_of(5)), {y + ": has 5 labels for the 4 examples of " + x}));
    CHECK(mentions(with(Tensor::zeros({4, 3}), Tensor::zeros({4})), {y + ": holds f32", "astype('int64')"}));
    CHECK(mentions(with(Tensor::zeros({4, 3}), labels_of(4).reshape({4, 1})), {y + ": has shape [4, 1]"}));
    CHECK(mentions(with(Tensor::full({4, 3}, 1, DType::i64), labels_of(4)), {x + ": holds i64", "float32"}));
    CHECK(mentions(with(Tensor::full({4, 4, 2, 2}, 1, DType::u8), labels_of(4)), {x + ": has pixels of 4 channels"}));
    CHECK(mentions(with(Tensor::zeros({1, 3}), labels_of(1)), {x + ": has 1 example, at least 2"}));
    Tensor bad = Tensor::zeros({4, 3}, DType::f64);
    bad.data<double>()[7] = std::nan("");
    CHECK(mentions(with(bad, labels_of(4)), {x + ": entry 1 of record 2 is not finite"}));
    bad.data<double>()[7] = -3.5e38;
    CHECK(mentions(with(bad, labels_of(4)), {x + ": entry 1 of record 2 is -3.5e+38, beyond the range of f32"}));
    bad.data<double>()[7] = 3.4e38;
    save_npy(x, bad);
    CHECK(load_npy_dataset(folder.path()).train.size() == 3);
    save_npy(x, Tensor::zeros({4, 3}));
    save_npy(folder / "x_validation.npy", Tensor::zeros({4, 2}));
    CHECK(mentions(refused_npy(folder), {"/y_validation.npy: is not there, but x_validation.npy is"}));
    save_npy(folder / "y_validation.npy", labels_of(4));
    CHECK(mentions(refused_npy(folder), {"x_validation.npy: has examples of [2], but those of " + x + " are [3]"}));
    CHECK(mentions(message_of(ErrorCode::file, [&] { load_npy_dataset(folder / "none"); }), {"/none: is no folder"}));
  }

  TEST_CASE("csv: the label is the last column, or one named or counted") {
    const TemporaryFolder folder;
    write_atomically(folder / "train.csv", "a,b,label\n1,2.5,0\n-3e2,4,1\n5,6,2\n");
    const DataSplits data = load_dataset({.name = "csv", .path = folder.path(), .shapes = {}});
    CHECK(data.train.size() == 2);
    CHECK(data.validation.size() == 1);
    CHECK(data.validation.label(0) == 2);
    CHECK(data.train.classes() == 3);
    CHECK(close(decode_images(data.train, 0, 2, {}, DType::f64), {1, 2.5, -300, 4}, 0));
    const auto labels_by = [&](const CsvColumn& column) {
      const DataSplits splits = load_csv_dataset(folder.path(), column);
      return std::vector<std::int64_t>{splits.train.label(0), splits.train.label(1), splits.validation.label(0)};
    };
    write_atomically(folder / "train.csv", "\"the, label\",b\n1,7\n0,8\n2,9\n");
    CHECK(labels_by({"the, label", -1}) == std::vector<std::int64_t>{1, 0, 2});
    CHECK(labels_by({"", 0}) == std::vector<std::int64_t>{1, 0, 2});
    CHECK(labels_by({"b", -1}) == std::vector<std::int64_t>{7, 8, 9});
    write_atomically(folder / "train.csv", "b,label\n1,7\n3,8\n\n  \n\r\n\n");  // blank last lines
    CHECK(load_csv_dataset(folder.path()).train.size() + load_csv_dataset(folder.path()).validation.size() == 2);
    write_atomically(folder / "train.csv", "\"the, label\",b\n1,7\n0,8\n2,9\n");
    write_atomically(folder / "validation.csv", "the label,b\n1,7\n");
    CHECK(load_csv_dataset(folder.path()).validation.size() == 1);
    CHECK(load_csv_dataset(folder.path()).train.size() == 3);
  }

  TEST_CASE("csv: mistakes are named with file, line and column") {
    const TemporaryFolder folder;
    const std::string file = folder / "train.csv";
    CHECK(mentions(refused_csv(folder, "1,2,0\n3,x,1\n"), {file + ": line 2, column 2: 'x' is no number"}));
    CHECK(mentions(refused_csv(folder, "a,b,label\n1,,0\n"), {file + ": line 2, column 2: is empty"}));
    CHECK(mentions(refused_csv(folder, "1,2,0\n1,nan,0\n"), {"line 2, column 2: 'nan' is not finite"}));
    CHECK(mentions(refused_csv(folder, "1,2,0\n1,1e999,0\n"), {"line 2, column 2: '1e999' is out of the range"}));
    CHECK(mentions(refused_csv(folder, "1,2,0\n1,1e39,0\n"),
                   {file + ": line 2, column 2: 1e+39 is beyond the range of f32"}));
    CHECK(mentions(refused_csv(folder, "1,2,0\n\n\n3,1,1\n\n"), {file + ": line 2 is empty"}));
    CHECK(mentions(refused_csv(folder, "1,2,0\n3,1\n"), {file + ": line 2 has 2 columns, the first has 3"}));
    CHECK(mentions(refused_csv(folder, "1,2,0\n\n3,1,1\n"), {file + ": line 2 is empty"}));
    CHECK(mentions(refused_csv(folder, "1,2,0\n3,1,0.5\n"), {file + ": line 2, column 3: label 0.5 is no integer"}));
    CHECK(mentions(refused_csv(folder, "1,2,0\n3,1,-1\n"), {file + ": line 2, column 3: has label -1"}));
    CHECK(mentions(refused_csv(folder, "x,l\n1,1\n2,2\n3,10\n", {}, 10),
                   {file + ": line 4, column 2: has label 10, labels are 0 to 9", "subtract 1"}));
    CHECK(
        mentions(refused_csv(folder, "a,label\n1,2\n", {"lable", -1}), {"no column 'lable'", "did you mean 'label'"}));
    CHECK(mentions(refused_csv(folder, "a,label\n1,2\n", {"", 2}), {"has 2 columns, there is none with index 2"}));
    CHECK(mentions(refused_csv(folder, "a;b\n1;2\n"), {"separated by semicolons"}));
    CHECK(mentions(refused_csv(folder, "1\n2\n"), {file + ": has one column"}));
    CHECK(mentions(refused_csv(folder, ""), {file + ": is empty"}));
    CHECK(mentions(refused_csv(folder, "a,b\n"), {file + ": has a header and no line of numbers"}));
    CHECK(mentions(refused_csv(folder, "a,b\n1,\"2\n"), {file + ": line 2, column 2: its quotes are not closed"}));
    CHECK(mentions(refused_csv(folder, "a,\"b\"c\n1,2\n"), {file + ": line 1, column 2: has text behind"}));
    CHECK(mentions(refused_csv(folder, "5,3.x,0\n5,3,1\n"), {file + ": line 1, column 2: '3.x' is no number"}));
  }

  TEST_CASE("csv: as others write it") {
    const CsvTable table = parse_csv("\xEF\xBB\xBF\"a \"\"b\"\"\",\"two\nlines\"\r\n 1 ,+2\r\n\"3\", 4\t\r\n\r\n");
    CHECK(table.header == std::vector<std::string>{"a \"b\"", "two\nlines"});
    CHECK(table.values == std::vector<double>{1, 2, 3, 4});
    CHECK(table.rows == 2);
    CHECK(table.first_line == 3);
    CHECK(parse_csv("1,2\n3,4").values == std::vector<double>{1, 2, 3, 4});
    for (const char* end : {"", "\n", "\n\n", "\n \n\t\r\n\r\n", "\n\n  "})
      CHECK(parse_csv(std::string("1,2\n3,4") + end).values == std::vector<double>{1, 2, 3, 4});
    CHECK(parse_csv("label,0,1\n5,6,7", "f", {"label", -1}).values == std::vector<double>{5, 6, 7});
    CHECK(parse_csv("label,0,1\n5,6,7", "f", {"", 0}).column == 0);
  }
}
