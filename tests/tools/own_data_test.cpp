// rezero on data of the user's own: sizes come from the files, mistakes show when they are opened or before.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/random.h"
#include "data/npy.h"
#include "support/close.h"
#include "support/command.h"
#include "support/inputs.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"
#include "tools/rezero/metrics.h"
#include "tools/rezero/recipe.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

// 200 points whose largest coordinate is the label.
void write_arrays(const TemporaryFolder& folder, std::int64_t shift = 0) {
  const Tensor x = normal_input({200, 4}, "own data command");
  const std::vector<double> values = x.to_vector();
  std::vector<std::int64_t> labels;
  for (auto row = values.begin(); row != values.end(); row += 4)
    labels.push_back(std::max_element(row, row + 4) - row + shift);
  save_npy(folder / "x.npy", x);
  save_npy(folder / "y.npy", Tensor::of_integers({200}, labels));
}

std::vector<std::string> training(const std::string& out, const std::vector<std::string>& settings) {
  std::vector<std::string> arguments{"train", quickstart_recipe, "--out", out};
  std::vector<std::string> all{"model.depth=2",       "model.width=16",    "train.epochs=20",
                               "train.batch_size=20", "data.train_size=0", "data.validation_size=0"};
  all.insert(all.end(), settings.begin(), settings.end());
  for (const std::string& setting : all) arguments.insert(arguments.end(), {"--set", setting});
  return arguments;
}

}  // namespace

TEST_CASE("own data: a run on arrays takes its sizes from them, goes on, and is evaluated") {
  const TemporaryFolder folder;
  write_arrays(folder);
  const std::string run = folder / "run", path = "data.path=" + folder.path();
  const CommandResult result = run_command(training(run, {"data.name=npy", path, "train.steps=100"}));
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(mentions(result.out, {"linear_input.weight", "[16, 4]", "done: 100 steps"}));
  const tool::Recipe recipe = tool::load_recipe(run + "/recipe.toml");
  CHECK(recipe.model.inputs == std::vector<std::int64_t>{4});
  CHECK(recipe.model.outputs == 4);
  CHECK(json::parse(contents(run + "/run.json"))["data"]["train"]["examples"] == 180);
  const CommandResult resumed = run_command({"train", "--resume", run, "--set", "train.steps=180"});
  CHECK_MESSAGE(resumed.exit_code == 0, resumed.error);
  CHECK(tool::read_metrics(run + "/metrics.jsonl").back().validation_accuracy.value_or(0) > 0.6);
  CHECK(json::parse(run_command({"eval", run, "--json"}).out)["examples"] == 20);
  CHECK(mentions(run_command({"jacobian", run, "--samples", "2"}).out, {"the first 2 of npy validation, as they are"}));
  CHECK(mentions(run_command({"info", run + "/recipe.toml"}).out, {"[16, 4]"}));
}

TEST_CASE("own data: info, eval and jacobian open the files of a recipe that leaves the sizes out") {
  const TemporaryFolder folder;
  write_arrays(folder);
  write_file(folder / "r.toml",
             "[model]\ndepth = 1\nwidth = 8\n[data]\nname = \"npy\"\npath = \"" + folder.path() + "\"\n");
  CHECK(mentions(run_command({"info", folder / "r.toml"}).out, {"linear_input.weight", "[8, 4]"}));
  CHECK(json::parse(run_command({"eval", "--recipe", folder / "r.toml", "--json"}).out)["examples"] == 20);
  CHECK(run_command({"jacobian", "--recipe", folder / "r.toml", "--samples", "1"}).exit_code == 0);
}

TEST_CASE("own data: images of bytes are augmented and normalised, what is no image is refused") {
  const TemporaryFolder folder;
  const Tensor x = normal_input({60, 3, 6, 8}, "own images");
  std::vector<std::int64_t> bytes, labels;
  for (const double value : x.to_vector())
    bytes.push_back(std::clamp<std::int64_t>(std::lround(128 + 40 * value), 0, 255));
  for (std::int64_t i = 0; i < 60; ++i) labels.push_back(i % 3);
  save_npy(folder / "y.npy", Tensor::of_integers({60}, labels));
  const std::vector<std::string> settings{"data.name=npy",  "data.path=" + folder.path(),  "train.steps=4",
                                          "data.flip=true", "data.crop_padding=2",         "data.crop_fill=reflect",
                                          "data.cutout=4",  "data.normalisation=imagenet", "train.batch_size=18"};
  const auto refused = [&](const Tensor& arrays, const std::vector<std::string>& parts,
                           const std::vector<std::string>& more = {}) {
    save_npy(folder / "x.npy", arrays);
    check_refused(training(folder / "none", Arguments(settings) + more), 2, parts);
  };
  const Tensor images = Tensor::of_integers(x.shape(), bytes, DType::u8);
  save_npy(folder / "x.npy", images);
  const CommandResult result = run_command(training(folder / "run", settings));
  CHECK_MESSAGE(result.exit_code == 0, result.error);
  CHECK(run_command({"eval", folder / "run"}).exit_code == 0);
  CHECK(run_command({"jacobian", folder / "run", "--samples", "1"}).exit_code == 0);

  refused(x, {"rezero: data.normalisation is imagenet, but npy has real values"});
  refused(x, {"rezero: augmentation: the examples of npy train are real values"}, {"data.normalisation=notebook"});
  refused(images.reshape({60, 144}), {"imagenet has constants of 3 channels, but the examples of npy are [144]"});
  refused(images.reshape({60, 144}), {"augmentation: the examples of npy train are [144]"},
          {"data.normalisation=notebook"});
  refused(images, {"augmentation: crop_padding is 6", "npy train are [3, 6, 8]", "0 to 5"}, {"data.crop_padding=6"});
}

TEST_CASE("own data: a run on a table of numbers") {
  const TemporaryFolder folder;
  std::string csv = "class,a,b\n";
  for (int i = 0; i < 60; ++i) csv += std::to_string(i % 2) + "," + std::to_string(i % 2 * 2 - 1) + ",0.5\n";
  write_file(folder / "train.csv", csv);
  const CommandResult result =
      run_command(training(folder / "run", {"data.name=csv", "data.path=" + folder.path(), "data.label_column=class"}));
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(tool::load_recipe(folder / "run/recipe.toml").data.label_column.name == "class");
  CHECK(tool::read_metrics(folder / "run/metrics.jsonl").back().validation_accuracy == 1);
}

TEST_CASE("own data: mistakes show when the data are opened, those of the recipe before") {
  const TemporaryFolder folder;
  write_arrays(folder, 1);  // labels 1 to 4
  const std::string run = folder / "run", path = "data.path=" + folder.path(), y = folder / "y.npy";
  check_refused(training(run, {"data.name=npy", path, "model.outputs=4"}), 1,
                {"rezero: " + y + ": record ", "has label 4, labels are 0 to 3", "subtract 1"});
  check_refused(training(run, {"data.name=npy", path}), 1, {y + ": record ", "label 4", "start at 1", "model.outputs"});
  check_refused(training(run, {"data.name=npy", path, "model.outputs=5", "model.inputs=3"}), 2,
                {"model.inputs is [3]", "[4]"});
  check_refused(training(run, {"data.name=npy", "data.path=" + folder.path() + "/none"}), 1, {"/none: is no folder"});
  check_refused(training(run, {"data.name=npy"}), 2, {"npy needs a path"});
  // No file is opened for these: the folder does not exist.
  const std::string none = "data.path=" + folder.path() + "/none";
  check_refused(training(run, {"data.name=npy", none, "model.gate=[1,2,3]"}), 2, {"gate"});
  check_refused(training(run, {"data.name=cifar10", none, "model.outputs=7"}), 2, {"model.outputs is 7", "10 classes"});
  check_refused(training(run, {"data.name=mnist", none, "model.inputs=[3,32,32]"}), 2, {"model.inputs", "[1, 28, 28]"});
  check_refused(training(run, {"data.name=mnist", none}), 1,
                {"/none: is no folder", "rezero data fetch mnist --out " + folder.path() + "/none"});
  CHECK(contents(run + "/recipe.toml").empty());
}
