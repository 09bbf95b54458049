// rezero train --resume: a run that was stopped anywhere ends like one that was not, bit for bit.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "core/ops.h"
#include "core/random.h"
#include "data/safetensors.h"
#include "nn/module.h"
#include "optim/optimizer.h"
#include "support/close.h"
#include "support/command.h"
#include "support/inputs.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"
#include "tools/rezero/checkpoint.h"
#include "tools/rezero/load_weights.h"
#include "tools/rezero/metrics.h"
#include "tools/rezero/model.h"

using namespace rz;
using namespace rz::test;

namespace {

void sleep_seconds(double seconds) {
  const timespec time{static_cast<time_t>(seconds),
                      static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
  nanosleep(&time, nullptr);
}

std::int64_t lines_of(const std::string& path) {
  const std::string text = contents(path);
  return std::count(text.begin(), text.end(), '\n');
}

// Waits until the metrics hold so many lines; false when the process ends before.
bool wait_for_lines(Process& process, const std::string& run, std::int64_t count) {
  while (lines_of(run + "/metrics.jsonl") < count) {
    if (!process.running()) return false;
    sleep_seconds(0.002);
  }
  return true;
}

// Steps that take a while, so that a signal falls into the run.
const std::vector<std::string> slow_steps{"--set", "model.depth=40", "--set", "model.width=64"};

std::vector<std::string> slow_training(const std::string& out, std::vector<std::string> more = {}) {
  more.insert(more.begin(), slow_steps.begin(), slow_steps.end());
  return small_training(out, more);
}

}  // namespace

TEST_CASE("resume: a run made longer equals one that was long from the start") {
  const TemporaryFolder folder;
  REQUIRE(
      run_command(small_training(folder / "whole", {"--set", "train.epochs=0", "--set", "train.steps=52"})).exit_code ==
      0);
  for (const int stop : {1, 14, 15, 16, 37}) {
    const std::string run = folder / std::to_string(stop);
    REQUIRE(run_command(small_training(run, {"--set", "train.steps=" + std::to_string(stop)})).exit_code == 0);
    const CommandResult result = run_command({"train", "--resume", run, "--set", "train.steps=52"});
    CHECK_MESSAGE(result.exit_code == 0, result.error);
    CHECK(same_run(folder / "whole", run));
  }
}

TEST_CASE("resume: momentum, label smoothing, smaller last batches and one cycle go on as well") {
  const TemporaryFolder folder;
  const std::vector<std::string> settings{
      "--set", "optimizer.name=sgd",        "--set", "optimizer.momentum=0.9",  "--set", "optimizer.nesterov=true",
      "--set", "train.label_smoothing=0.1", "--set", "train.batch_size=70",     "--set", "checkpoint.every=3",
      "--set", "schedule.name=one_cycle",   "--set", "checkpoint.keep=\"all\"", "--set", "train.log_every=2"};
  REQUIRE(run_command(small_training(folder / "whole", settings)).exit_code == 0);
  REQUIRE(run_command(small_training(folder / "cut", settings)).exit_code == 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cut/checkpoints")) {
    const std::string name = entry.path().filename().string();
    if (name != "step-0.safetensors" && name != "step-3.safetensors" && name != "step-6.safetensors")
      std::filesystem::remove(entry.path());
  }
  CHECK(run_command({"train", "--resume", folder / "cut"}).exit_code == 0);
  CHECK(same_run(folder / "whole", folder / "cut"));
  // As if killed before the first checkpoint, in the middle of a line.
  std::filesystem::remove_all(folder / "cut/checkpoints");
  const std::string metrics = contents(folder / "cut/metrics.jsonl");
  write_file(folder / "cut/metrics.jsonl", metrics.substr(0, metrics.size() / 2));
  const CommandResult again = run_command({"train", "--resume", folder / "cut"});
  CHECK_MESSAGE(again.exit_code == 0, again.error);
  CHECK(same_run(folder / "whole", folder / "cut"));
}

TEST_CASE("resume: Ctrl-C finishes the step, writes a checkpoint and ends with 130") {
  const TemporaryFolder folder;
  REQUIRE(run_command(slow_training(folder / "whole")).exit_code == 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string run = folder / std::to_string(signal);
    Process process(slow_training(run));
    REQUIRE(wait_for_lines(process, run, 8));
    process.signal(signal);
    const CommandResult stopped = process.wait();
    CHECK(stopped.exit_code == 130);
    CHECK(mentions(stopped.error, {"interrupted after step", "checkpoint", "rezero train --resume"}));
    CHECK(run_command({"train", "--resume", run}).exit_code == 0);
    CHECK(same_run(folder / "whole", run));
  }
}

TEST_CASE("resume: a second Ctrl-C stops at once, and nothing is lost") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  // Steps long enough for both signals to fall into one.
  Process process(
      small_training(run, {"--set", "model.depth=100", "--set", "model.width=256", "--set", "train.batch_size=300"}));
  while (!std::filesystem::exists(run + "/checkpoints/initial.safetensors") && process.running()) sleep_seconds(0.01);
  sleep_seconds(0.2);
  for (int k = 0; k < 500 && process.running(); ++k) {  // a signal that is sent before the last one arrived is lost
    process.signal(SIGINT);
    sleep_seconds(0.02);
  }
  const CommandResult result = process.wait();
  CHECK(result.exit_code == 130);
  CHECK(mentions(result.error, {"rezero: interrupted\n"}));
  CHECK(run_command({"train", "--resume", run, "--set", "train.steps=2"}).exit_code == 0);
}

TEST_CASE("resume: what cannot go on is refused") {
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  REQUIRE(run_command(small_training(run, {"--set", "train.steps=5"})).exit_code == 0);
  const std::string before = contents(run + "/recipe.toml"), metrics = contents(run + "/metrics.jsonl");
  const auto refused = [&](const std::vector<std::string>& more, const std::vector<std::string>& parts, int code) {
    std::vector<std::string> arguments{"train", "--resume", run};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const CommandResult result = run_command(arguments);
    CHECK(result.exit_code == code);
    CHECK(one_line_error(result));
    CHECK(mentions(result.error, parts));
  };
  refused({"--set", "model.depth=4"}, {"model.depth", "cannot change"}, 2);
  refused({"--set", "train.batch_size=7"}, {"train.batch_size", "cannot change"}, 2);
  refused({"--out", folder / "other"}, {"--resume", "--out"}, 2);
  refused({quickstart_recipe}, {"--resume", "own recipe"}, 2);
  const CommandResult complete = run_command({"train", "--resume", run});
  CHECK(complete.exit_code == 0);
  CHECK(mentions(complete.out, {"complete", "5 steps", "train.steps=N"}));

  std::string bytes = contents(run + "/checkpoints/step-5.safetensors");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  write_file(run + "/checkpoints/step-5.safetensors", bytes);
  refused({"--set", "train.steps=9"}, {"step-5.safetensors", "damaged", "remove it to go on from step"}, 1);
  CHECK(contents(run + "/recipe.toml") == before);
  CHECK(contents(run + "/metrics.jsonl") == metrics);

  const CommandResult missing = run_command({"train", "--resume", folder / "nothing"});
  CHECK(missing.exit_code == 1);
  CHECK(mentions(missing.error, {folder / "nothing", "no such run"}));
}

TEST_CASE("resume: a checkpoint that is damaged or cut off anywhere leaves the store as it was") {
  const TemporaryFolder folder;
  const std::string file = folder / "a.safetensors";
  const tool::Recipe recipe =
      tool::parse_recipe("[model]\ndepth = 2\nwidth = 3\ninputs = 4", "r.toml", std::vector<std::string>{});
  const auto optimizer = optim::Optimizer::create(recipe.optimizer);
  const auto saved = tool::build_model(recipe), other = tool::build_model(recipe);
  ParameterStore &from = saved->parameters(), &to = other->parameters();
  for (ParameterStore* store : {&from, &to}) optimizer->prepare(*store);
  ops::fill(from.values(), 0.25);
  ops::fill(from.slot("sum_of_squares"), 0.5);
  tool::save_checkpoint(file, *saved, {.step = 3});
  const std::string good = contents(file);
  const Tensor values = to.values().clone(), slot = to.slot("sum_of_squares").clone();
  const auto refused = [&](const std::string& bytes) {
    write_file(file, bytes);
    CHECK_FALSE(message_of(ErrorCode::file, [&] { tool::load_checkpoint(file, *other); }).empty());
    CHECK(identical(to.values(), values));
    CHECK(identical(to.slot("sum_of_squares"), slot));
  };
  for (std::size_t cut = 0; cut < good.size(); cut += 97) refused(good.substr(0, cut));
  for (std::size_t at = good.size() - 1; at > good.size() / 2; at -= 61) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    refused(bytes);
  }
  from[from.size() - 1].value().copy_from(Tensor::full(from[from.size() - 1].shape(), NAN));
  tool::save_checkpoint(file, *saved, {.step = 3});
  refused(contents(file));
  write_file(file, good);
  CHECK(tool::load_checkpoint(file, *other).step == 3);
  CHECK(to[0].value().to_vector()[0] == 0.25);
  CHECK(to.slot("sum_of_squares", to[0]).to_vector()[0] == 0.5);
}

TEST_CASE("resume: weights of another form with the same names are refused, those of no known form are not") {
  const TemporaryFolder folder;
  const std::string file = folder / "a.safetensors";
  const auto model_of = [](const char* form) {
    return tool::build_model(
        tool::parse_recipe(fmt::format("[model]\ndepth = 2\nwidth = 3\ninputs = 4\nform = \"{}\"", form), "r.toml",
                           std::vector<std::string>{}));
  };
  const auto post = model_of("post_norm"), pre = model_of("pre_norm");
  tool::save_checkpoint(file, *post, {.step = 3});
  CHECK(mentions(message_of(ErrorCode::file, [&] { tool::load_weights(file, *pre); }),
                 {"holds weights of norm(x + F(x))", "the model is x + F(norm(x))", "model.form"}));
  tool::load_weights(file, *post);
  const SafetensorsContents contents = load_safetensors(file);
  save_safetensors(file, contents.tensors);
  tool::load_weights(file, *pre);
}

TEST_CASE("resume: after a kill at any moment [slow]") {
  const TemporaryFolder folder;
  const std::vector<std::string> settings{"--set", "checkpoint.every=2", "--set", "checkpoint.keep=2"};
  REQUIRE(run_command(slow_training(folder / "whole", settings)).exit_code == 0);
  const double seconds = tool::read_metrics(folder / "whole/metrics.jsonl").back().seconds;
  Random random(seed(), stream_named("kill"));
  for (int k = 0; k < 20; ++k) {
    const std::string run = folder / std::to_string(k);
    int kills = 0;
    {
      Process process(slow_training(run, settings));
      sleep_seconds(random.uniform(0, 1.2 * seconds));
      kills += process.running();
      process.signal(SIGKILL);
      process.wait();
    }
    while (std::filesystem::exists(run + "/recipe.toml") && k % 3 == 0 &&
           kills < 3) {  // some are killed again while they go on
      Process process({"train", "--resume", run});
      sleep_seconds(random.uniform(0, seconds));
      ++kills;
      process.signal(SIGKILL);
      process.wait();
    }
    const bool started = std::filesystem::exists(run + "/recipe.toml");
    const CommandResult result =
        started ? run_command({"train", "--resume", run}) : run_command(slow_training(run, settings));
    CHECK_MESSAGE(result.exit_code == 0, result.error);
    CHECK(same_run(folder / "whole", run));
    for (const auto& entry : std::filesystem::directory_iterator(run + "/checkpoints"))
      CHECK(entry.path().filename().string().find(".tmp") == std::string::npos);
  }
}

TEST_CASE("resume: augmented images are the same after a stop in the middle of an epoch, on any number of threads") {
  const TemporaryFolder folder;
  const std::vector<std::string> settings{
      "--set", "data.flip=true",     "--set", "data.crop_padding=4",         "--set", "data.crop_fill=reflect",
      "--set", "data.cutout=8",      "--set", "data.normalisation=imagenet", "--set", "train.batch_size=70",
      "--set", "checkpoint.every=3", "--set", "checkpoint.keep=\"all\"",     "--set", "train.ema=0.9"};
  for (const char* run : {"whole", "cut"}) REQUIRE(run_command(small_training(folder / run, settings)).exit_code == 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cut/checkpoints")) {
    const std::string name = entry.path().filename().string();
    if (name != "step-0.safetensors" && name != "step-3.safetensors") std::filesystem::remove(entry.path());
  }
  const CommandResult resumed = run_command({"train", "--resume", folder / "cut", "--threads", "3"});
  CHECK_MESSAGE(resumed.exit_code == 0, resumed.error);
  CHECK(same_run(folder / "whole", folder / "cut"));
  const CommandResult other = run_command({"train", "--resume", folder / "cut", "--set", "data.flip=false"});
  CHECK(other.exit_code == 2);
  CHECK(mentions(other.error, {"data.flip cannot change in a run that goes on"}));
}

TEST_CASE("resume: from step 137 of an epoch of 500, with one-cycle and dropout") {
  const TemporaryFolder folder;
  const std::vector<std::string> settings{
      "--set", "data.train_size=1000",     "--set", "train.batch_size=2",      "--set", "train.epochs=1",
      "--set", "data.validation_size=100", "--set", "schedule.name=one_cycle", "--set", "model.dropout=0.1",
      "--set", "checkpoint.every=137",     "--set", "checkpoint.keep=\"all\"", "--set", "train.log_every=25"};
  for (const char* run : {"whole", "cut"}) REQUIRE(run_command(small_training(folder / run, settings)).exit_code == 0);
  for (const char* later : {"274", "411", "500"})
    REQUIRE(std::filesystem::remove(folder / ("cut/checkpoints/step-" + std::string(later) + ".safetensors")));
  CHECK(run_command({"train", "--resume", folder / "cut"}).exit_code == 0);
  CHECK(same_run(folder / "whole", folder / "cut"));
}
