// Training on texts: what is logged, what evaluation counts, and that runs go on bit for bit.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "data/safetensors.h"
#include "support/command.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

// 2,000 bytes of eight different ones, some more frequent than others; as words 2 to 4 bytes long.
std::string small_text() {
  std::string text;
  for (std::size_t k = 0; text.size() < 2000; k = (k * 29 + 17) % 1009) text += std::string("ab cd\n e")[k % 64 % 8];
  return text;
}

class SmallText {
 public:
  SmallText() {
    write_file(folder_ / "text.txt", small_text());
    write_file(folder_ / "r.toml",
               "[model]\nfamily = \"char_transformer\"\nlayers = 2\nd_model = 8\nheads = 2\nfeed_forward = 8\n"
               "[data]\nname = \"text\"\npath = \"" +
                   folder_ / "text.txt" +
                   "\"\ncontext = 8\n[optimizer]\nname = \"adam\"\nlearning_rate = 0.01\n"
                   "[train]\nsteps = 24\nbatch_size = 4\nlog_every = 1\n");
  }
  std::string file(const std::string& name) const { return folder_ / name; }
  Arguments training(const std::string& run, const Arguments& more = {}) const {
    return Arguments{"train", file("r.toml"), "--out", file(run)} + more;
  }
  std::string trained(const Arguments& more = {}) const {
    const CommandResult result = run_command(training("run", more));
    REQUIRE_MESSAGE(result.exit_code == 0, result.error);
    return file("run");
  }

 private:
  TemporaryFolder folder_;
};

json last_line(const std::string& run) {
  std::string text = contents(run + "/metrics.jsonl");
  text.pop_back();
  return json::parse(text.substr(text.rfind('\n') + 1));
}

json evaluated(const Arguments& arguments) {
  const CommandResult result = run_command(Arguments{"eval", "--json"} + arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  return json::parse(result.out);
}

}  // namespace

TEST_CASE("text: losses are in nats, and beside them in bits per byte or as perplexity") {
  const SmallText text;
  const auto check = [&](const std::string& run, const std::string& unit, auto&& of_nats) {
    const json epoch = last_line(run);
    CHECK(epoch["kind"] == "epoch");
    for (const std::string split : {"train", "validation"})
      CHECK(epoch[split + "_" + unit].get<double>() ==
            doctest::Approx(of_nats(epoch[split + "_loss"].get<double>())).epsilon(1e-12));
    const json eval = evaluated({run});
    CHECK(eval["loss"].get<double>() == doctest::Approx(epoch["validation_loss"].get<double>()).epsilon(1e-6));
    CHECK(eval[unit].get<double>() == doctest::Approx(of_nats(eval["loss"].get<double>())).epsilon(1e-12));
    std::filesystem::remove_all(run);
  };
  check(text.trained(), "bits_per_byte", [](double nats) { return nats / std::log(2.0); });
  check(text.trained({"--set", "data.level=word"}), "perplexity", [](double nats) { return std::exp(nats); });
}

TEST_CASE("text: evaluation scores every byte but the first once, whatever the stride") {
  const SmallText text;
  const std::string run = text.trained({"--set", "train.steps=1"}), weights = text.file("w.safetensors");
  // Without an output matrix the logits are its bias: here log frequencies, some of them far off.
  std::array<double, 256> frequency{};
  frequency.fill(1e-4);
  for (const char c : std::string("ab cd\ne")) frequency[static_cast<unsigned char>(c)] = 1 + (c % 5);
  double sum = 0;
  for (const double f : frequency) sum += f;
  std::vector<NamedTensor> arrays = load_safetensors(run + "/checkpoints/last.safetensors").tensors;
  for (NamedTensor& array : arrays) {
    if (array.name == "decoder.weight") array.tensor = Tensor::zeros(array.tensor.shape(), DType::f64);
    if (array.name != "decoder.bias") continue;
    std::vector<double> logs;
    for (const double f : frequency) logs.push_back(std::log(f));
    array.tensor = Tensor::of({256}, logs);
  }
  save_safetensors(weights, arrays);
  const std::string all = small_text();
  const std::array<std::string, 3> parts{all.substr(0, 1800), all.substr(1800, 100), all.substr(1900)};
  for (const std::string stride : {"8", "3", "1"}) {
    std::size_t part = 0;
    for (const std::string split : {"train", "validation", "test"}) {
      CAPTURE(stride);
      CAPTURE(split);
      double expected = 0;
      for (const char c : parts[part].substr(1)) expected -= std::log(frequency[static_cast<unsigned char>(c)] / sum);
      expected /= static_cast<double>(parts[part++].size() - 1);
      const json result = evaluated(
          {"--recipe", text.file("r.toml"), "--set", "data.stride=" + stride, "--weights", weights, "--split", split});
      CHECK(result["loss"].get<double>() == doctest::Approx(expected).epsilon(1e-6));
    }
  }
}

TEST_CASE("text: a run goes on bit for bit, and does not depend on the threads [threads]") {
  const SmallText text;
  const Arguments settings{"--set", "model.dropout=0.2",      "--set", "checkpoint.every=7",
                           "--set", "checkpoint.keep=\"all\""};
  for (const char* run : {"whole", "cut"}) REQUIRE(run_command(text.training(run, settings)).exit_code == 0);
  for (const char* later : {"14", "21", "24"})
    REQUIRE(std::filesystem::remove(text.file("cut/checkpoints/step-" + std::string(later) + ".safetensors")));
  CHECK(run_command({"train", "--resume", text.file("cut")}).exit_code == 0);
  CHECK(same_run(text.file("whole"), text.file("cut")));
  REQUIRE(run_command(text.training("three", settings + Arguments{"--threads", "3"})).exit_code == 0);
  const auto loss = [&](const char* run) { return last_line(text.file(run))["validation_loss"]; };
  CHECK(loss("whole") == loss("three"));
}

TEST_CASE("text: what cannot be learnt from, and checkpoints of another form, are said in one line") {
  const SmallText text;
  const auto refused = [&](const std::string& content, const std::vector<std::string>& parts) {
    write_file(text.file("text.txt"), content);
    check_refused(text.training("refused"), 1, parts);
    CHECK(!std::filesystem::exists(text.file("refused")));
  };
  const std::string run = text.trained({"--set", "train.steps=1"}), last = run + "/checkpoints/last.safetensors";
  check_refused({"eval", "--recipe", text.file("r.toml"), "--set", "model.form=pre_norm", "--weights", last}, 1,
                {last, "holds weights of x + a F(x)", "the model is x + F(norm(x))", "model.form"});
  check_refused({"eval", "--recipe", text.file("r.toml"), "--set", "model.layers=3", "--weights", last}, 1,
                {last, "missing", "layers.2"});
  check_refused({"eval", "--recipe", text.file("r.toml"), "--set", "data.context=9", "--weights", last}, 1,
                {last, "pos_encoder.pe", "[8, 1, 8]", "[9, 1, 8]"});
  check_refused({"eval", run, "--confusion", text.file("c.csv")}, 2, {"--confusion", "text", "no classes"});
  refused("", {"text.txt", "is empty"});
  refused("x", {"text.txt", "0 of its 1 tokens", "train", "one window needs 9"});
  std::filesystem::remove(text.file("text.txt"));
  check_refused(text.training("refused"), 1, {"text.txt"});
}
