// train.ema and train.micro_batches: the real binary.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/close.h"
#include "support/command.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"
#include "tools/rezero/metrics.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

void train(const std::string& out, const std::vector<std::string>& settings) {
  std::vector<std::string> arguments;
  for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
  const CommandResult result = run_command(small_training(out, arguments));
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
}

json eval(const std::vector<std::string>& arguments) {
  std::vector<std::string> all{"eval", "--json"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const CommandResult result = run_command(all);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  return json::parse(result.out);
}

}  // namespace

TEST_CASE("ema: validation is that of the averages, which eval and jacobian take with --ema") {
  const TemporaryFolder folder;
  const std::string run = folder / "run", plain = folder / "plain";
  train(run, {"train.ema=0.95", "train.epochs=2"});
  train(plain, {"train.epochs=2"});
  const tool::Metrics last = tool::read_metrics(run + "/metrics.jsonl").back();
  const json averages = eval({run, "--ema"}), weights = eval({run});
  CHECK(averages["loss"] == last.validation_loss.value());
  CHECK(averages["accuracy"] == last.validation_accuracy.value());
  CHECK(weights["loss"] != averages["loss"]);
  CHECK(weights == eval({plain}));  // averaging does not touch training
  CHECK(eval({run, "--ema", "--checkpoint", "initial"}) == eval({run, "--checkpoint", "initial"}));
  const std::string file = run + "/checkpoints/last.safetensors";
  CHECK(eval({"--recipe", run + "/recipe.toml", "--weights", file, "--ema"}) == averages);
  CHECK(mentions(run_command({"eval", run, "--ema"}).out, {"last.safetensors (averages)"}));
  const CommandResult jacobian = run_command({"jacobian", run, "--ema", "--samples", "1"});
  CHECK_MESSAGE(jacobian.exit_code == 0, jacobian.error);
  CHECK(mentions(jacobian.out, {"(averages)"}));
  check_refused({"eval", plain, "--ema"}, 1, {"last.safetensors", "holds no averages", "train.ema"});
  check_refused({"eval", "--recipe", run + "/recipe.toml", "--ema"}, 2, {"--ema", "initial weights"});
  check_refused({"train", "--resume", run, "--set", "train.ema=0.5"}, 2, {"train.ema cannot change"});
}

TEST_CASE("ema: a run that goes on equals one that was not stopped, with every optimiser") {
  const TemporaryFolder folder;
  for (const std::string rule : {"rmsprop", "adam", "adamw", "lamb", "lion", "muon"}) {
    INFO(rule);
    const std::vector<std::string> settings{"optimizer.name=" + rule,  "train.ema=0.9",
                                            "train.epochs=0",          "schedule.name=linear_warmup",
                                            "schedule.warmup_steps=5", "train.micro_batches=3"};
    std::vector<std::string> whole = settings, cut = settings;
    whole.emplace_back("train.steps=24");
    cut.emplace_back("train.steps=15");  // an epoch: what ends within one validates there, and may be best
    train(folder / (rule + "-whole"), whole);
    train(folder / rule, cut);
    const CommandResult result = run_command({"train", "--resume", folder / rule, "--set", "train.steps=24"});
    CHECK_MESSAGE(result.exit_code == 0, result.error);
    CHECK(same_run(folder / (rule + "-whole"), folder / rule));
  }
}

TEST_CASE("micro-batches: the same numbers for any split, also of a smaller last batch") {
  const TemporaryFolder folder;
  const std::vector<std::string> settings{"train.precision=f64", "train.batch_size=70", "train.epochs=1",
                                          "train.label_smoothing=0.1"};
  const auto metrics = [&](const std::string& parts) {
    std::vector<std::string> all = settings;
    all.push_back("train.micro_batches=" + parts);
    train(folder / parts, all);
    return tool::read_metrics(folder / parts + "/metrics.jsonl");
  };
  const std::vector<tool::Metrics> whole = metrics("1");
  REQUIRE(whole.size() == 6);  // 70, 70, 70, 70, 20, and the epoch
  for (const char* parts : {"2", "7", "64", "70"}) {
    INFO(parts);
    const std::vector<tool::Metrics> split = metrics(parts);
    REQUIRE(split.size() == whole.size());
    for (std::size_t k = 0; k < whole.size(); ++k) {
      CHECK(close(split[k].train_loss, whole[k].train_loss, 1e-10));
      CHECK(close(split[k].gradient_norm, whole[k].gradient_norm, 1e-9));
      CHECK(split[k].train_accuracy == whole[k].train_accuracy);
    }
  }
}

TEST_CASE("micro-batches: memory falls with the size of a part") {
  const TemporaryFolder folder;
  const auto peak = [&](const std::string& parts) {
    train(folder / parts, {"train.batch_size=256", "model.depth=40", "model.width=8", "train.steps=1",
                           "data.train_size=256", "train.micro_batches=" + parts});
    return tool::read_metrics(folder / parts + "/metrics.jsonl").front().peak_bytes;
  };
  const std::int64_t one = peak("1"), sixteen = peak("16");
  const std::int64_t activations = std::int64_t{40} * 256 * 8 * 4;  // one f32 number per unit
  CHECK(one - sixteen > activations / 2);
}
