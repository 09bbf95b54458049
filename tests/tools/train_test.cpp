// rezero train: what a run leaves behind, and that it says clearly what is wrong.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/backend.h"
#include "support/close.h"
#include "support/command.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"
#include "tools/rezero/metrics.h"
#include "tools/rezero/recipe.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

TEST_CASE("train: a run directory holds recipe, information, metrics and checkpoints") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  const CommandResult result = run_command(small_training(run, {"--set", "train.log_every=7"}));
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(mentions(result.out,
                 {"rezero: x + a F(x), a = 0", "linear_input.weight", "[16, 3072]", "linear_layers.{0..2}.weight",
                  "768", "residual_weight", "total", "threads: ", "done: 60 steps"}));

  const tool::Recipe recipe = tool::load_recipe(run + "/recipe.toml");
  CHECK(recipe.model.depth == 3);
  CHECK(tool::to_toml(recipe) == contents(run + "/recipe.toml"));
  const json information = json::parse(contents(run + "/run.json"));
  for (const char* key : {"version", "commit", "compiler", "blas", "isa", "cpu", "threads", "cores", "seed"})
    CHECK_MESSAGE(information.contains(key), key);
  CHECK(information["data"]["train"]["checksum"].get<std::string>().starts_with("xxh3-128:"));

  const std::string checkpoints = run + "/checkpoints/";
  CHECK(std::filesystem::read_symlink(checkpoints + "last.safetensors") == "step-60.safetensors");
  CHECK(std::filesystem::read_symlink(checkpoints + "initial.safetensors") == "step-0.safetensors");
  CHECK(std::filesystem::exists(checkpoints + "best.safetensors"));
  CHECK(std::filesystem::exists(
      std::filesystem::read_symlink(checkpoints + "best.safetensors").is_relative() ? checkpoints : ""));
}

TEST_CASE("train: CIFAR-100 with flips, crops, cutout and constants of its own") {
  const TemporaryFolder folder;
  std::string records;
  for (int fine = 0; fine < 100; ++fine)
    records += std::string{static_cast<char>(fine / 5), static_cast<char>(fine)} +
               std::string(3072, static_cast<char>(50 + fine));
  for (const char* file : {"train.bin", "test.bin"}) write_file(folder / file, records);
  const auto train = [&](const char* run, std::vector<std::string> more) {
    more.insert(more.end(), {"--set", "data.name=cifar100", "--set", "data.path=" + folder.path(), "--set",
                             "data.train_size=100", "--set", "data.normalisation=dataset"});
    return run_command(small_training(folder / run, more));
  };
  const std::vector<std::string> augmented{"--set", "data.flip=true", "--set", "data.crop_padding=4",
                                           "--set", "data.cutout=8"};
  const CommandResult result = train("augmented", augmented);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  REQUIRE(train("again", augmented).exit_code == 0);
  REQUIRE(train("plain", {}).exit_code == 0);
  CHECK(same_run(folder / "augmented", folder / "again"));
  CHECK_FALSE(same_run(folder / "augmented", folder / "plain").holds);
  CHECK(mentions(contents(folder / "augmented/recipe.toml"),
                 {"labels = \"fine\"", "normalisation = \"dataset\"", "flip = true", "crop_padding = 4",
                  "crop_fill = \"zero\"", "cutout = 8"}));
}

TEST_CASE("train: metrics have a line per logged step and per epoch, with all fields") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  REQUIRE(run_command(
              small_training(run, {"--set", "train.log_every=7", "--set", "optimizer.residual_weight.rate_factor=0.1"}))
              .exit_code == 0);
  std::vector<std::int64_t> steps, epochs;
  std::string text = contents(run + "/metrics.jsonl");
  for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
    const json line = json::parse(text.substr(0, end));
    if (line["kind"] == "monitor") continue;
    for (const char* key :
         {"kind", "step", "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
          "learning_rate", "gradient_norm", "residual_weights", "seconds", "examples_per_second", "peak_bytes"})
      CHECK_MESSAGE(line.contains(key), key);
    CHECK(line.size() == 13);
    const bool epoch = line["kind"] == "epoch";
    (epoch ? epochs : steps).push_back(line["step"]);
    CHECK(line["validation_loss"].is_number() == epoch);
    CHECK(line["epoch"] == (line["step"].get<int>() - 1) / 15 + 1);
    CHECK(line["learning_rate"]["weight"] == 0.01);
    CHECK(close(line["learning_rate"]["residual_weight"].get<double>(), 0.001, 1e-15));
    CHECK(line["residual_weights"]["values"].size() == 3);
    CHECK(line["peak_bytes"] > 0);
    CHECK(line["train_accuracy"].get<double>() <= 1);
  }
  CHECK(steps == std::vector<std::int64_t>{1, 7, 14, 21, 28, 35, 42, 49, 56});
  CHECK(epochs == std::vector<std::int64_t>{15, 30, 45, 60});
}

TEST_CASE("train: the loss of an epoch is the mean over its steps, and a run that ends within one closes it") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  REQUIRE(run_command(small_training(run, {"--set", "train.steps=20"})).exit_code == 0);
  double sum = 0, count = 0, last_mean = 0;
  for (const tool::Metrics& line : tool::read_metrics(run + "/metrics.jsonl")) {
    if (line.of_epoch) {
      last_mean = line.train_loss;
      CHECK(close(line.train_loss, sum / count, 1e-12));
      sum = count = 0;
    } else {
      sum += line.train_loss;
      count += 1;
    }
  }
  CHECK(count == 0);  // step 20, in the middle of epoch 2, has its epoch line
  CHECK(last_mean > 0);
  CHECK(std::filesystem::exists(run + "/checkpoints/step-20.safetensors"));
}

TEST_CASE("train: results do not depend on the number of threads [threads]") {
  const TemporaryFolder folder;
  REQUIRE(run_command(small_training(folder / "one", {"--threads", "1"})).exit_code == 0);
  REQUIRE(run_command(small_training(folder / "three", {"--threads", "3"})).exit_code == 0);
  CHECK(same_run(folder / "one", folder / "three"));
}

TEST_CASE("train: f64, every form, and last batches that are smaller") {
  const TemporaryFolder folder;
  for (const char* form : {"deep", "residual", "deep_layer_norm", "pre_norm", "post_norm", "rezero", "rezero_one"}) {
    const CommandResult result = run_command(small_training(
        folder / form, {"--set", std::string("model.form=") + form, "--set", "train.precision=f64", "--set",
                        "train.batch_size=70", "--set", "train.epochs=1", "--set", "optimizer.clip_norm=1"}));
    CHECK_MESSAGE(result.exit_code == 0, result.error);
    CHECK(tool::read_metrics(folder / form + "/metrics.jsonl").back().step == 5);
  }
}

TEST_CASE("train: checkpoints are kept as the recipe says") {
  const TemporaryFolder folder;
  const auto checkpoints = [&](const std::string& name, const std::string& keep) {
    REQUIRE(run_command(small_training(folder / name, {"--set", "checkpoint.every=4", "--set",
                                                       "checkpoint.keep=" + keep, "--set", "train.steps=14"}))
                .exit_code == 0);
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder / name + "/checkpoints"))
      if (!entry.is_symlink()) found.push_back(entry.path().filename().string());
    std::sort(found.begin(), found.end());
    return found;
  };
  CHECK(checkpoints("one", "1") == std::vector<std::string>{"step-0.safetensors", "step-14.safetensors"});
  CHECK(checkpoints("two", "2") ==
        std::vector<std::string>{"step-0.safetensors", "step-12.safetensors", "step-14.safetensors"});
  CHECK(checkpoints("all", "all").size() == 5);
}

TEST_CASE("train: --dry-run checks, prints the table, and leaves nothing behind") {
  const TemporaryFolder folder;
  const CommandResult result = run_command(small_training(folder / "run", {"--dry-run"}));
  CHECK(result.exit_code == 0);
  CHECK(mentions(result.out, {"linear_input.weight", "threads: "}));
  CHECK(result.error.empty());
  CHECK(folder.names().empty());
}

TEST_CASE("train: a loss that is not finite ends the run with step, layer and advice") {
  const TemporaryFolder folder;
  const std::vector<std::string> wild{
      "--set", "model.form=deep", "--set", "optimizer.name=sgd", "--set", "optimizer.learning_rate=1e30"};
  const CommandResult result = run_command(small_training(folder / "stops", wild));
  CHECK(result.exit_code == 1);
  CHECK(mentions(result.error, {"rezero: train: the ", "of step ", " is ", "linear", "--continue"}));
  std::size_t steps = 0;
  double sum = 0;
  const std::vector<tool::Metrics> lines = tool::read_metrics(folder / "stops/metrics.jsonl");
  for (const tool::Metrics& line : lines)
    if (!line.of_epoch && std::isfinite(line.train_loss) && std::isfinite(line.gradient_norm)) {
      sum += line.train_loss;
      ++steps;
    }
  REQUIRE(steps > 0);  // the epoch has a line of what it came to
  CHECK(lines.back().of_epoch);
  CHECK(lines.back().step == static_cast<std::int64_t>(steps));
  CHECK(close(lines.back().train_loss, sum / static_cast<double>(steps), 1e-12));
  CHECK(!lines.back().validation_loss);
  std::vector<std::string> wilder = wild;
  wilder.emplace_back("--continue");
  CHECK(run_command(small_training(folder / "goes_on", wilder)).exit_code == 0);
  CHECK(contents(folder / "goes_on/metrics.jsonl").find("\"train_loss\": null") != std::string::npos);
  CHECK(tool::read_metrics(folder / "goes_on/metrics.jsonl").back().step == 60);
}

TEST_CASE("train: the quickstart's ReZero network passes 80 % within its run [slow]") {
  const TemporaryFolder folder;
  REQUIRE(run_command({"train", quickstart_recipe, "--out", folder / "run"}).exit_code == 0);
  const tool::Metrics last = tool::read_metrics(folder / "run/metrics.jsonl").back();
  MESSAGE("validation accuracy " << last.validation_accuracy.value_or(0) << " after " << last.seconds << " s");
  CHECK(last.validation_accuracy.value_or(0) > 0.8);
}

TEST_CASE("train: in bf16 the losses of epochs stay near those in f32") {
  if (!backend(Device::cpu()).missing_for(ProductPrecision::bf16).empty()) return;
  const TemporaryFolder folder;
  const auto losses = [&](const std::string& precision) {
    const std::string run = folder / precision;
    const CommandResult result =
        run_command(small_training(run, {"--set", "model.width=64", "--set", "train.epochs=14", "--set",
                                         "train.steps=200", "--set", "train.precision=" + precision}));
    REQUIRE_MESSAGE(result.exit_code == 0, result.error);
    CHECK(json::parse(contents(run + "/run.json"))["precision"] == precision);
    return tool::read_metrics(run + "/metrics.jsonl");
  };
  const std::vector<tool::Metrics> f32 = losses("f32"), bf16 = losses("bf16");
  REQUIRE(f32.size() == bf16.size());
  double most = 0;
  for (std::size_t i = 0; i < f32.size(); ++i)
    if (f32[i].of_epoch) most = std::max(most, std::fabs(bf16[i].train_loss - f32[i].train_loss));
  MESSAGE("largest difference of an epoch's loss: " << most);
  CHECK(most > 0);
  CHECK(most < 0.05);
}

TEST_CASE("train: a precision that cannot be had, or is not known, is said") {
  const TemporaryFolder folder;
  const auto run = [&](const std::string& precision) {
    return run_command(small_training(folder / "run", {"--set", "train.precision=" + precision}),
                       {"", {{"REZERO_ISA", "baseline"}}, {}});
  };
  for (const char* precision : {"high", "bf16"}) {
    CHECK(run(precision).exit_code == 2);
    CHECK(mentions(run(precision).error, {"rezero: train.precision: ", precision, "cannot be had", "f32 works"}));
  }
  CHECK(run("f16").exit_code == 2);
  CHECK(mentions(run("f16").error, {"train.precision", "f16", "f32, f64, high, bf16"}));
}

TEST_CASE("train: --explain shows that the gate moves first, and then the branch") {
  const CommandResult result = run_command({"train", "--explain"});
  CHECK(result.exit_code == 0);
  CHECK(result.error.empty());
  const std::size_t second = result.out.find("Step 2.");
  REQUIRE(second != std::string::npos);
  const std::string step_1 = result.out.substr(0, second), step_2 = result.out.substr(second);
  CHECK(mentions(step_1, {"loss = 1.153", "d_h2 = g d_h3 = [0, 0]", "d_resweight = <d_h3, h2> = [-1.447]",
                          "d_linear_layers.0.weight = d_z^T h1 = [[0, 0], [0, 0]]", "The gate moves first"}));
  CHECK(mentions(step_2, {"loss = 0.5043", "d_h1 += d_z linear_layers.0.weight", "now the weights inside the branch"}));
  // What autograd/README.md quotes is what is printed.
  const std::string readme = contents(RZ_TEST_SOURCE_DIR "/../autograd/README.md");
  CHECK(mentions(readme, {"h3 = [2.101, 0.4045]", "d_resweight = <d_h3, h2> = [-1.447]"}));
  // sgd at rate 0.1: a gate of 0 with the gradient -1.447.
  CHECK(mentions(
      step_1, {"w = resweight: rate 0.1, weight_decay 0", "was w = [0]", "d = [-1.447]", "w - rate g", "= [0.1447]"}));
  const auto explained = [](std::vector<std::string> settings) {
    std::vector<std::string> arguments{"train", "--explain"};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    const CommandResult text = run_command(arguments);
    CHECK_MESSAGE(text.exit_code == 0, text.error);
    return text.out;
  };
  // Adagrad sums squares: 1.447^2 = 2.093, and the first step is the rate. Clipping to half the norm scales by 0.5.
  CHECK(mentions(explained({"optimizer.name=adagrad"}),
                 {"scale = 1, no clip_norm", "w = resweight: rate 0.1, weight_decay 0, eps 1e-10",
                  "s = s + g^2 = [2.093]", "(sum_of_squares)", "w = w - rate g / (sqrt(s) + eps)", "= [0.1]"}));
  CHECK(mentions(explained({"optimizer.clip_norm=0.001"}), {"scale = min(1, clip_norm / norm) = 0.000"}));
  CHECK(mentions(explained({"optimizer.weight_decay=0.5"}),
                 {"linear_input.weight: rate 0.1, weight_decay 0.5", "g = scale d + weight_decay w"}));
  CHECK(mentions(explained({"model.form=highway"}), {"sigmoid(h1 transform_layers.0.weight^T", "sigmoid'(z)"}));
  for (const char* rule : {"sgd", "rmsprop", "adam", "adamw", "lamb", "lion", "muon"})
    CHECK(explained({std::string("optimizer.name=") + rule}).find("w = resweight: rate") != std::string::npos);
  for (const char* form : {"highway", "pre_norm", "residual_scalars", "fixup"}) {
    const CommandResult other = run_command({"train", "--explain", "--set", std::string("model.form=") + form});
    CHECK(other.exit_code == 0);
    CHECK(other.out.find('{') == std::string::npos);
  }
  CHECK(run_command({"train", "--explain", "--set", "train.ema=0.9"}).exit_code == 2);
  const CommandResult large = run_command({"train", "--explain", "--set", "model.width=100"}),
                      recipe = run_command({"train", "recipe.toml", "--explain"});
  CHECK((large.exit_code == 2 && recipe.exit_code == 2));
  CHECK(one_line_error(large));
  CHECK(one_line_error(recipe));
  CHECK(mentions(large.error, {"--explain", "200"}));
  CHECK(mentions(recipe.error, {"--explain", "without a recipe"}));
}

TEST_CASE("train: a locale with a decimal comma changes nothing") {
  const TemporaryFolder folder;
  const std::string locale = folder / "de_DE.UTF-8";
  if (std::system(("localedef -i de_DE -f UTF-8 " + locale + " 2>/dev/null").c_str()) != 0 &&
      !std::filesystem::exists(locale + "/LC_NUMERIC")) {
    MESSAGE("the locale de_DE.UTF-8 cannot be made here: not tested");
    return;
  }
  // glibc keeps a copy of LOCPATH when a library asks for a locale as it is loaded: no leak of ours.
  const CommandOptions german{.environment = {{"LOCPATH", folder.path()},
                                              {"LC_ALL", "de_DE.UTF-8"},
                                              {"LANG", "de_DE.UTF-8"},
                                              {"ASAN_OPTIONS", "detect_leaks=0"}}};
  REQUIRE(run_command(small_training(folder / "plain")).exit_code == 0);
  const CommandResult result = run_command(small_training(folder / "german"), german);
  CHECK_MESSAGE(result.exit_code == 0, result.error);
  CHECK(same_run(folder / "plain", folder / "german"));
  CHECK(contents(folder / "plain/recipe.toml") == contents(folder / "german/recipe.toml"));
  const auto spectrum = [&](const std::string& run, const CommandOptions& options) {
    return run_command({"jacobian", folder / run, "--inputs", "gaussian", "--samples", "1", "--svg",
                        folder / (run + ".svg"), "--json"},
                       options);
  };
  const CommandResult plain = spectrum("plain", {}), other = spectrum("german", german);
  CHECK(other.exit_code == 0);
  CHECK(plain.out == other.out);
  std::string picture = contents(folder / "german.svg");
  for (std::size_t at; (at = picture.find("german")) != std::string::npos;) picture.replace(at, 6, "plain");
  CHECK(picture == contents(folder / "plain.svg"));
}
