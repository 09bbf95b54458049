// rezero compare: recorded runs side by side.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/close.h"
#include "support/command.h"
#include "support/temporary_folder.h"
#include "tools/rezero/metrics.h"
#include "tools/rezero/notebook.h"
#include "tools/rezero/recipe.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

// A run as training would have left it: the loss of step t is start / (1 + t / scale), a step takes 0.5 s, an epoch 20
// steps.
void record_run(const std::string& path, const std::string& recipe, double start, double scale, int steps,
                const std::string& end = "") {
  std::filesystem::create_directories(path);
  write_file(path + "/recipe.toml",
             tool::to_toml(tool::load_recipe(RZ_TEST_SOURCE_DIR "/../tools/recipes/" + recipe + ".toml")));
  std::string lines;
  double sum = 0;
  for (int step = 1; step <= steps; ++step) {
    tool::Metrics line;
    line.step = step;
    line.epoch = (step - 1) / 20 + 1;
    line.train_loss = start / (1 + step / scale);
    line.seconds = 0.5 * step;
    line.learning_rate = {{"weight", 0.01}};
    lines += tool::to_json(line) + "\n";
    sum += line.train_loss;
    if (step % 20 != 0) continue;
    line.of_epoch = true;
    line.train_loss = sum / 20;
    line.validation_loss = 2;
    line.validation_accuracy = 0.01 * static_cast<double>(line.epoch);
    lines += tool::to_json(line) + "\n";
    sum = 0;
  }
  write_file(path + "/metrics.jsonl", lines + end);
}

json compare_json(const Arguments& arguments) {
  Arguments all{"compare", "--json"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const CommandResult result = run_command(all);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(result.error.empty());
  return json::parse(result.out);
}

void check_compare_error(const Arguments& arguments, int code, const std::vector<std::string>& parts) {
  Arguments all{"compare"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  check_refused(all, code, parts);
}

}  // namespace

TEST_CASE("compare: steps and seconds to a loss, and the speed-up against the first run") {
  const TemporaryFolder folder;
  record_run(folder / "slow", "quickstart", 8, 40, 200);
  record_run(folder / "fast", "quickstart", 8, 10, 100);
  // The median of the last 9 steps is the loss 4 steps ago: 8 / (1 + (t - 4) / 40) = 4 at t = 44, and at t = 14.
  const json at_4 = compare_json({folder / "slow", folder / "fast", "--loss", "4"});
  CHECK(at_4["loss"] == 4.0);
  const json &slow = at_4["runs"][0], &fast = at_4["runs"][1];
  CHECK(slow["name"] == "slow");
  CHECK(slow["path"] == folder / "slow");
  CHECK(slow["form"] == "rezero");
  CHECK(slow["steps"] == 200);
  CHECK(slow["seconds"] == 100.0);
  CHECK(slow["steps_to_loss"] == 44);
  CHECK(slow["seconds_to_loss"] == 22.0);
  CHECK(slow["speed_up_steps"] == 1.0);
  CHECK(fast["steps_to_loss"] == 14);
  CHECK(close(fast["speed_up_steps"].get<double>(), 44.0 / 14, 1e-12));
  CHECK(close(fast["speed_up_seconds"].get<double>(), 44.0 / 14, 1e-12));
  CHECK(slow["epochs"].size() == 10);
  CHECK(slow["epochs"][1]["validation_accuracy"] == 0.02);
  CHECK_FALSE(slow["epochs"][1].contains("notebook_train_loss"));
  // Without --loss: the lowest of the first run, which is the slow one's last.
  const json chosen = compare_json({folder / "slow", folder / "fast"});
  CHECK(close(chosen["loss"].get<double>(), 8 / (1 + 196.0 / 40), 1e-12));
  CHECK(chosen["runs"][0]["steps_to_loss"] == 200);
  // A loss that a run never reached.
  const json low = compare_json({folder / "slow", folder / "fast", "--loss", "0.8"});
  CHECK(low["runs"][0]["steps_to_loss"].is_null());
  CHECK(low["runs"][1]["steps_to_loss"] == 94);
  CHECK(low["runs"][1]["speed_up_steps"].is_null());
}

TEST_CASE("compare: tables, curves and the file of values") {
  const TemporaryFolder folder;
  record_run(folder / "slow", "quickstart", 8, 40, 200);
  record_run(folder / "fast", "quickstart", 8, 10, 100);
  const CommandResult result = run_command({"compare", folder / "slow", folder / "fast", "--loss", "4", "--svg",
                                            folder / "c.svg", "--csv", folder / "c.csv"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(
      mentions(result.out, {"run", "form", "slow", "rezero", "200", "100.0", "fast", "50.0", "epoch", "slow", "fast"}));
  CHECK(mentions(result.out,
                 {"loss of 4", "speed-up against slow", "44", "22.0", "1.00x", "14", "3.14x", "c.svg", "c.csv"}));
  CHECK(mentions(contents(folder / "c.svg"), {"<svg", "Training loss", "slow", "fast"}));
  CHECK(mentions(contents(folder / "c.csv"),
                 {"epoch,slow train_loss,slow validation_loss,slow validation_accuracy,fast train_loss", "\n1,",
                  "\n10,", ",nan,nan,nan\n"}));
}

TEST_CASE("compare: runs in the notebook's setting stand beside the notebook's losses") {
  const TemporaryFolder folder;
  record_run(folder / "deep", "fc64-deep", 8, 40, 220);
  record_run(folder / "rezero", "fc64-rezero", 8, 10, 40);
  const json result = compare_json({folder / "deep", folder / "rezero"});
  CHECK(result["runs"][0]["epochs"][0]["notebook_train_loss"] == 54693.80);
  CHECK(result["runs"][0]["epochs"][9]["notebook_train_loss"] == 2.02);
  CHECK_FALSE(result["runs"][0]["epochs"][10].contains("notebook_train_loss"));
  CHECK(result["runs"][1]["epochs"][1]["notebook_train_loss"] == 1.37);
  const std::string recipe = contents(folder / "rezero/recipe.toml");
  for (const char* setting : {"data.flip=true", "data.normalisation=imagenet"}) {
    const std::vector<std::string> settings{setting};
    CHECK(tool::notebook_losses(tool::parse_recipe(recipe, "r.toml")).size() == 10);
    CHECK(tool::notebook_losses(tool::parse_recipe(recipe, "r.toml", settings)).empty());
  }
  const CommandResult text = run_command({"compare", folder / "deep", folder / "rezero"});
  CHECK(mentions(text.out, {"epoch", "deep", "(notebook)", "rezero", "(notebook)", "(54693.80)", "(1.68)", "(2.02)"}));
}

TEST_CASE("compare: runs that were killed, diverged or have one name") {
  const TemporaryFolder folder;
  record_run(folder / "a/run", "quickstart", 8, 40, 30,
             R"({"kind": "step", "step": 31, "ep)");  // killed while it wrote
  record_run(folder / "b/run", "quickstart", NAN, 40, 40);
  const json result = compare_json({folder / "a/run", folder / "b/run"});
  CHECK(result["runs"][0]["name"] == folder / "a/run");
  CHECK(result["runs"][0]["steps"] == 30);
  CHECK(result["runs"][0]["epochs"].size() == 1);
  CHECK(result["runs"][1]["epochs"][0]["train_loss"].is_null());
  CHECK(result["runs"][1]["steps_to_loss"].is_null());
  CHECK(close(result["loss"].get<double>(), 8 / (1 + 29.0 / 40), 1e-12));  // a tenth of 30 steps: the median of 3
  const CommandResult text = run_command({"compare", folder / "b/run", "--svg", folder / "b.svg"});
  CHECK(text.exit_code == 0);
  CHECK(mentions(text.out, {"The first run has no finite training loss"}));
  CHECK(compare_json({folder / "b/run"})["loss"].is_null());
  write_file(folder / "a/run/metrics.jsonl", "");
  CHECK(compare_json({folder / "a/run"})["runs"][0]["steps"] == 0);
  CHECK(mentions(run_command({"compare", folder / "a/run"}).out, {"no epoch has ended yet"}));
}

TEST_CASE("compare: bad input and wrong usage") {
  const TemporaryFolder folder;
  record_run(folder / "run", "quickstart", 8, 40, 40);
  check_compare_error({}, 2, {"run"});
  check_compare_error({folder / "none"}, 1, {folder / "none"});
  check_compare_error({folder.path()}, 1, {folder.path(), "recipe.toml"});
  check_compare_error({folder / "run", "--loss", "nan"}, 2, {"--loss"});
  check_compare_error({folder / "run", "--loss", "low"}, 2, {"--loss"});
  check_compare_error({folder / "run", "--csv", "/dev/full"}, 1, {"/dev/full"});
  check_compare_error({folder / "run", "--svg", folder / "run/recipe.toml/x.svg"}, 1, {"recipe.toml/x.svg"});
  check_compare_error({folder / "run", "--jsn"}, 2, {"--jsn", "--json"});
  CHECK(run_command({"compare", folder / "run"}, {"/dev/full", {}, {}}).exit_code == 1);
  const std::string metrics = folder / "run/metrics.jsonl", lines = contents(metrics);
  write_file(metrics, lines.substr(0, 200) + "\n" + lines);
  check_compare_error({folder / "run"}, 1, {"metrics.jsonl"});
  write_file(metrics, "[1, 2]\n");
  check_compare_error({folder / "run", "--json"}, 1, {"metrics.jsonl", "1"});
  std::filesystem::remove(metrics);
  check_compare_error({folder / "run"}, 1, {folder / "run", "metrics.jsonl"});
}
