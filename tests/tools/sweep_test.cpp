// rezero sweep: the plan, the runs, going on after a kill, and the table.
#include "tools/rezero/sweep.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/close.h"
#include "support/command.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"
#include "tools/rezero/command.h"

using namespace rz;
using namespace rz::test;

namespace {

std::vector<std::string> small_sweep(const std::string& out, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"sweep", quickstart_recipe, "--out", out};
  for (const char* setting : {"model.depth=3", "model.width=16", "data.train_size=200", "data.validation_size=50",
                              "train.batch_size=20", "train.epochs=1", "schedule.name=constant"})
    arguments.insert(arguments.end(), {"--set", setting});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::int64_t lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

}  // namespace

TEST_CASE("sweep: values of a grid are cut at commas, but not within brackets and quotes") {
  const tool::Grid grid = tool::parse_grid("model.gate = 0.5, [0, 1,2] ,\"a,b\"");
  CHECK(grid.key == "model.gate");
  CHECK(grid.values == std::vector<std::string>{"0.5", "[0, 1,2]", "\"a,b\""});
  for (const char* wrong : {"model.depth", "model.depth=", "model.depth=1,,2", "model.depth=1,1"})
    CHECK_THROWS_AS(tool::parse_grid(wrong), tool::UsageError);
}

TEST_CASE("sweep: all combinations and seeds, in the order of the grids") {
  const std::vector<std::string> grids{"model.form=rezero,deep", "optimizer.learning_rate=1e-3,0.1"};
  const tool::SweepPlan plan = tool::plan_sweep(quickstart_recipe, {}, grids, 2);
  REQUIRE(plan.runs.size() == 8);
  CHECK(plan.runs[0].folder == "form=rezero,learning_rate=1e-3,seed=1");
  CHECK(plan.runs[3].folder == "form=rezero,learning_rate=0.1,seed=2");
  CHECK(plan.runs[4].folder == "form=deep,learning_rate=1e-3,seed=1");
  CHECK(plan.runs[7].settings ==
        std::vector<std::string>{"model.form=deep", "optimizer.learning_rate=0.1", "train.seed=2"});
}

TEST_CASE("sweep: trains, shows the best for each form, and adds what is missing") {
  const TemporaryFolder folder;
  const std::string out = folder / "sweep";
  const std::vector<std::string> grid{"--grid", "model.form=rezero,deep", "--grid",
                                      "optimizer.learning_rate=0.001,0.02"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), grid.begin(), grid.end());
    return small_sweep(out, more);
  };
  const CommandResult first = run_command(with({}));
  CHECK(first.exit_code == 0);
  CHECK(mentions(first.out, {"Best by validation accuracy for each model.form", "rezero", "deep", "sweep.csv"}));
  CHECK(lines(contents(out + "/sweep.csv")) == 5);
  const auto before = std::filesystem::last_write_time(out + "/form=deep,learning_rate=0.02,seed=1/run.json");
  const CommandResult second = run_command(with({"--seeds", "2", "--json", "--by", "train_loss"}));
  CHECK(second.exit_code == 0);
  const nlohmann::json json = nlohmann::json::parse(second.out);
  CHECK(json["complete"] == 8);
  CHECK(json["best"][0]["values"]["model.form"] == "rezero");
  CHECK(json["best"][0]["seeds_measured"] == 2);
  CHECK(json["best"][0]["deviation"].get<double>() > 0);
  CHECK(std::filesystem::last_write_time(out + "/form=deep,learning_rate=0.02,seed=1/run.json") == before);
  check_refused(with({"--set", "model.depth=4"}), 2, {out, "other --set", "--out"});
}

TEST_CASE("sweep: goes on after a kill, and a run that diverges is told of") {
  const TemporaryFolder folder;
  const std::string out = folder / "sweep";
  const std::vector<std::string> arguments =
      small_sweep(out, {"--set", "optimizer.name=sgd", "--set", "train.epochs=20", "--jobs", "2", "--grid",
                        "optimizer.learning_rate=0.01,0.02,1e30", "--seeds", "2"});
  {
    Process process(arguments);
    const timespec pause{0, 5'000'000};
    while (process.running() && !std::filesystem::exists(out + "/learning_rate=0.01,seed=1/checkpoints"))
      nanosleep(&pause, nullptr);
    process.signal(SIGTERM);
    process.wait();
  }
  const CommandResult result = run_command(arguments);
  CHECK(result.exit_code == 0);
  CHECK(mentions(result.out, {"0.01", "0.02", "1e30", "0 of 2"}));
  CHECK(mentions(contents(out + "/sweep.csv"),
                 {"0.01,1,complete,200", "0.02,2,complete,200", "1e30,1,diverged", "1e30,2"}));
  CHECK(mentions(contents(out + "/learning_rate=1e30,seed=2.done"), {"diverged:", "train:", "not finite"}));
}

TEST_CASE("sweep: values that only work together, and a run that fails and is tried again") {
  const TemporaryFolder folder;
  const std::vector<std::string> grids{"schedule.step_size=2,4"}, step{"schedule.name=step"};
  CHECK(tool::plan_sweep(quickstart_recipe, step, grids, 1).runs.size() == 2);
  const std::string out = folder / "sweep", data = folder / "data";
  const std::vector<std::string> arguments =
      small_sweep(out, {"--set", "data.name=csv", "--set", "data.path=" + data, "--set", "data.train_size=0", "--set",
                        "data.validation_size=0", "--grid", "model.depth=1,2"});
  const CommandResult failed = run_command(arguments);
  CHECK(failed.exit_code == 1);
  CHECK(mentions(failed.error, {"2 of 2 runs failed", "depth=1,seed=1", "failed:", "train.csv"}));
  std::filesystem::create_directories(data);
  std::string rows;
  for (int i = 0; i < 100; ++i)
    rows += std::to_string(i % 7) + "," + std::to_string(i % 5) + "," + std::to_string(i % 3) + "\n";
  write_file(data + "/train.csv", rows);
  CHECK(run_command(arguments).exit_code == 0);
}

TEST_CASE("sweep: what is wrong is refused before anything is trained") {
  const TemporaryFolder folder;
  const std::string out = folder / "sweep";
  check_refused(small_sweep(out, {"--grid", "model.fomr=deep"}), 2, {"unknown key 'model.fomr'", "model.form"});
  check_refused(small_sweep(out, {"--grid", "model.width=8,-1"}), 2, {"model.width", "-1"});
  check_refused(small_sweep(out, {"--grid", "model.form=deep", "--set", "model.gate=1"}), 2, {"gate", "deep"});
  check_refused(small_sweep(out, {"--grid", "model.form=deep", "--by", "steps_to_loss"}), 2, {"--by", "--loss X"});
  check_refused(small_sweep(out, {"--grid", "train.seed=1,2"}), 2, {"train.seed", "--seeds"});
  CHECK(!std::filesystem::exists(out));
  write_file(folder / "file", "");
  check_refused(small_sweep(folder / "file/x", {"--grid", "model.form=deep"}), 1, {"file/x"});
}
