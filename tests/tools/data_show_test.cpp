// rezero data show: counts, checksums and the picture.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "data/npy.h"
#include "support/close.h"
#include "support/command.h"
#include "support/packed.h"
#include "support/temporary_folder.h"
#include "tools/rezero/contact_sheet.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

TEST_CASE("data show: the drawn shapes as text, as JSON and as a picture") {
  const TemporaryFolder folder;
  const std::vector<std::string> small{
      "data", "show", "shapes", "--set", "data.train_size=200", "--set", "data.validation_size=50"};
  const CommandResult text = run_command(small, {"", {}, folder.path()});
  REQUIRE_MESSAGE(text.exit_code == 0, text.error);
  CHECK(mentions(text.out, {"shapes", "[3, 32, 32] of u8", "train", "200", "xxh3-128:", "validation", "50", "circle",
                            "hourglass", "written: " + folder.path() + "/shapes.png"}));
  CHECK(contents(folder / "shapes.png").starts_with("\x89PNG\r\n"));
  std::vector<std::string> arguments = small;
  arguments.insert(arguments.end(), {"--json", "--out", folder / "other.png"});
  const json r = json::parse(run_command(arguments).out);
  CHECK(r["shape"] == json{3, 32, 32});
  CHECK(r["path"].is_null());
  CHECK(r["classes"].size() == 10);
  const std::vector<int> counts = r["train"]["counts"];
  CHECK(std::accumulate(counts.begin(), counts.end(), 0) == 200);
  CHECK(r["train"]["examples"] == 200);
  CHECK(r["picture"] == folder / "other.png");
  CHECK(contents(folder / "other.png") == contents(folder / "shapes.png"));
}

TEST_CASE("data show: the picture has a row per class, in the order of the set") {
  Dataset data{
      .name = "t", .image_shape = {1, 2, 2}, .class_names = {"a", "b", "c"}, .pixels = {}, .labels = {2, 0, 2}};
  data.pixels = {10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120};
  const tool::Picture picture = tool::contact_sheet(data);
  CHECK(picture.width == 10 * 68 + 4);
  CHECK(picture.height == 3 * 68 + 4);
  const auto at = [&](std::int64_t row, std::int64_t column, std::int64_t y, std::int64_t x) {
    return picture.pixels[static_cast<std::size_t>(((4 + row * 68 + y) * picture.width + 4 + column * 68 + x) * 3 + 1)];
  };
  CHECK(at(0, 0, 0, 0) == 50);
  CHECK(at(0, 0, 63, 63) == 80);
  CHECK(at(0, 1, 0, 0) == 255);
  CHECK(at(1, 0, 0, 0) == 255);
  CHECK(at(2, 0, 31, 32) == 20);
  CHECK(at(2, 1, 32, 31) == 110);
  CHECK(tool::png(picture) == tool::png(tool::contact_sheet(data)));
  data.values = Tensor::of({3, 1, 2, 2}, std::vector<double>{-1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  data.pixels.clear();
  const tool::Picture real = tool::contact_sheet(data);
  CHECK(real.pixels[static_cast<std::size_t>(((4 + 2 * 68) * real.width + 4) * 3)] == 0);
  CHECK(real.pixels[static_cast<std::size_t>(((4 + 2 * 68 + 63) * real.width + 4 + 68 + 63) * 3)] == 255);
}

TEST_CASE("data show: sets without pictures, files of others, and wrong usage") {
  const TemporaryFolder folder;
  save_npy(folder / "x.npy", Tensor::zeros({20, 3}));
  save_npy(folder / "y.npy", Tensor::zeros({20}, DType::i64));
  const CommandResult text = run_command({"data", "show", "npy", "--path", folder.path()});
  CHECK_MESSAGE(text.exit_code == 0, text.error);
  CHECK(mentions(text.out, {"npy", folder.path(), "[3] of f32, used as they are", "18", "2"}));
  CHECK(text.out.find("written") == std::string::npos);
  check_refused({"data", "show", "npy", "--path", folder.path(), "--out", folder / "x.png"}, 2, {"--out", "[3]"});
  check_refused({"data", "show"}, 2, {"data show: no data set was named"});
  check_refused({"data"}, 2, {"data: nothing was named to do (fetch or show)"});
  check_refused({"data", "show", "mnits"}, 2, {"'mnits' is not known (did you mean 'mnist'?"});
  check_refused({"data", "show", "npy"}, 2, {"npy needs a path"});
  check_refused({"data", "show", "shapes", "--ouch"}, 2, {"rezero data show: unknown option --ouch", "--out"});
  check_refused({"data", "show", "shapes", "--set", "model.depth=3"}, 2, {"model.depth=3 is no key of the data set"});
  check_refused({"data", "show", "mnist", "--set", "data.noise=3"}, 2, {"data.noise belongs to the data set shapes"});
  check_refused({"data", "show", "mnist", "--path", folder / "none"}, 1, {"/none: is no folder", "data fetch mnist"});
  check_refused({"data", "show", "mnist", "--path", folder.path(), "--out", folder / "none/x.png"}, 1, {"none/x.png"});
  CHECK(run_command({"data", "show", "shapes"}, {"/dev/full", {}, folder.path()}).exit_code == 1);
}
