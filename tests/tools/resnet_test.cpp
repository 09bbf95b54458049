// ResNets in the command: training, resume, memory, PyTorch's files, Jacobians between blocks, and what is said to
// sizes that do not fit.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/npy.h"
#include "data/safetensors.h"
#include "support/close.h"
#include "support/command.h"
#include "support/inputs.h"
#include "support/lcg.h"
#include "support/reference.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

struct SmallResNet {
  TemporaryFolder folder;
  std::string recipe = folder / "net.toml";
  explicit SmallResNet(const std::string& model = "", const std::string& train = "steps = 4\n") {
    write_file(recipe, "[model]\nfamily = \"resnet\"\nlayers = 8\n" + model +
                           "[data]\nname = \"shapes\"\ntrain_size = 40\nvalidation_size = 20\nflip = true\n"
                           "crop_padding = 4\n[optimizer]\nname = \"sgd\"\nlearning_rate = 0.05\nmomentum = 0.9\n"
                           "[train]\nbatch_size = 8\nlog_every = 1\n" +
                           train);
  }
  CommandResult train(const char* run, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"train", recipe, "--out", folder / run};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_command(arguments);
  }
  // Of the last checkpoint, the optimiser's state included; not its time and memory, which threads change.
  std::vector<NamedTensor> state(const char* run, bool optimizer = true) const {
    const SafetensorsFile file(folder / run + "/checkpoints/last.safetensors");
    std::vector<NamedTensor> all;
    for (const SafetensorsEntry& entry : file.entries())
      if (entry.name != "train/seconds" && entry.name != "train/peak_bytes" &&
          (optimizer || entry.name.find('/') == std::string::npos))
        all.push_back({entry.name, file.read(entry)});
    return all;
  }
};

void check_one_line(const CommandResult& result, int code, const std::vector<std::string>& parts) {
  CHECK(result.exit_code == code);
  CHECK(mentions(result.error, parts));
  CHECK(std::ranges::count(result.error, '\n') == 1);
}

void check_same_state(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(a[i].name);
    CHECK(a[i].name == b[i].name);
    CHECK(identical(a[i].tensor, b[i].tensor));
  }
}

json resnet_json(const std::vector<std::string>& arguments) {
  const CommandResult result = run_command(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  return json::parse(result.out);
}

}  // namespace

TEST_CASE("resnet: a run that stopped goes on bit for bit, running statistics and crops included [slow]") {
  const SmallResNet net;
  REQUIRE(net.train("whole", {"--set", "train.steps=7"}).exit_code == 0);
  REQUIRE(net.train("parts", {"--set", "train.steps=3"}).exit_code == 0);
  const CommandResult rest =
      run_command({"train", "--resume", net.folder / "parts", "--set", "train.steps=7", "--threads", "3"});
  REQUIRE_MESSAGE(rest.exit_code == 0, rest.error);
  check_same_state(net.state("whole"), net.state("parts"));
}

TEST_CASE("resnet: blocks that are computed twice change no bit [slow]") {
  const SmallResNet net;
  REQUIRE(net.train("free", {"--set", "model.layers=20"}).exit_code == 0);
  const CommandResult tight = net.train("tight", {"--set", "model.layers=20", "--set", "train.memory=22MB"});
  REQUIRE_MESSAGE(tight.exit_code == 0, tight.error);
  CHECK(mentions(tight.out, {"blocks computed twice"}));
  check_same_state(net.state("free", false), net.state("tight", false));
  check_one_line(net.train("no", {"--set", "train.memory=1MB"}), 1, {"train.memory", "1MB is too little", "least"});
}

TEST_CASE("resnet: a step that is not finite leaves the running statistics finite, in parts as well") {
  const SmallResNet net("", "steps = 3\n");
  for (const char* parts : {"1", "2"}) {
    CAPTURE(parts);
    const std::string run = std::string("run") + parts;
    const CommandResult result = net.train(run.c_str(), {"--continue", "--set", "optimizer.learning_rate=1e30", "--set",
                                                         std::string("train.micro_batches=") + parts});
    REQUIRE_MESSAGE(result.exit_code == 0, result.error);
    for (const NamedTensor& t : net.state(run.c_str(), false))
      if (t.name.find("running") != std::string::npos)
        for (const double v : t.tensor.to_vector()) CHECK(std::isfinite(v));
  }
}

TEST_CASE("resnet: a file of PyTorch loads, counts of batches or not, and gives its logits") {
  const TemporaryFolder folder;
  const std::string recipe = folder / "net.toml", x = folder / "x.npy", y = folder / "y.npy";
  const std::string files = RZ_TEST_SOURCE_DIR "/nn/reference/resnet8_rezero";
  write_file(recipe, "[model]\nfamily = \"resnet\"\nlayers = 8\ninputs = [3, 8, 8]\noutputs = 10\n");
  save_npy(x, Tensor::of({2, 3, 8, 8}, Lcg(9).draw(2 * 3 * 8 * 8, 1)));
  const Tensor expected = Tensor::of({2, 10}, numbers(reference("../nn/reference/resnet8_rezero.json")["logits"]));
  const std::vector<std::string> eval{"eval", "--recipe", recipe, "--input", x, "--output", y, "--weights"};
  const auto logits = [&](const std::string& weights) {
    std::vector<std::string> arguments = eval;
    arguments.push_back(weights);
    const CommandResult result = run_command(arguments);
    REQUIRE_MESSAGE(result.exit_code == 0, result.error);
    return load_npy(y).to(DType::f64);
  };
  CHECK(close(logits(files + ".safetensors"), expected, 1e-5));
  const SafetensorsFile file(files + ".safetensors");
  std::vector<NamedTensor> without, bare;
  for (const SafetensorsEntry& entry : file.entries()) {
    if (entry.name.ends_with("num_batches_tracked")) continue;
    without.push_back({entry.name, file.read(entry)});
    if (entry.name.find("running") == std::string::npos) bare.push_back(without.back());
  }
  save_safetensors(folder / "without.safetensors", without);
  save_safetensors(folder / "bare.safetensors", bare);
  CHECK(close(logits(folder / "without.safetensors"), expected, 1e-5));
  std::vector<std::string> arguments = eval;
  arguments.push_back(folder / "bare.safetensors");
  check_one_line(run_command(arguments), 1, {"missing", "bn1.running_mean", "no running statistics", "state_dict"});
  for (NamedTensor& t : without)
    if (t.name == "layer2.0.bn1.running_var") t.tensor.data<float>()[3] = -1;
  save_safetensors(folder / "negative.safetensors", without);
  arguments.back() = folder / "negative.safetensors";
  check_one_line(run_command(arguments), 1, {"number 3 of layer2.0.bn1.running_var", "a negative variance"});
}

TEST_CASE("resnet: Jacobians between blocks, matrix-free where they do not fit, and of small images in info [slow]") {
  const TemporaryFolder folder;
  const std::string recipe = folder / "net.toml";
  write_file(recipe, "[model]\nfamily = \"resnet\"\nlayers = 14\ninputs = [3, 8, 8]\noutputs = 10\n");
  const std::vector<std::string> source{"--recipe", recipe, "--inputs", "gaussian", "--samples", "1", "--json"};
  const auto with = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), source.begin(), source.end());
    return resnet_json(arguments);
  };
  const json block = with({"jacobian", "--of", "stack", "--from", "5", "--to", "6"});  // [2, 2, 64], gate 0
  CHECK(block["from"] == 5);
  CHECK(block["to"] == 6);
  CHECK(block["rows"] == 256);
  for (const json& value : block["samples"][0]["singular_values"]) CHECK(value.get<double>() == 1);
  const json stride = with({"spectrum", "--of", "stack", "--from", "2", "--to", "3", "--method", "exact"});
  CHECK(stride["cols"] == 8 * 8 * 16);
  CHECK(stride["rows"] == 4 * 4 * 32);  // a quarter of the pixels passes, and nothing else
  const json ends =
      with({"spectrum", "--of", "stack", "--from", "0", "--to", "2", "--method", "lanczos", "--top", "3"});
  CHECK(ends["method"] == "lanczos");
  CHECK(ends["statistics"] == "frozen");
  const CommandResult info = run_command({"info", recipe, "--measure"});
  REQUIRE_MESSAGE(info.exit_code == 0, info.error);
  CHECK(mentions(info.out, {"resnet rezero", "layer1.{0..1}.conv1.weight", "running_mean"}));
}

TEST_CASE("resnet: Jacobians with the statistics of the batch") {
  const TemporaryFolder folder;
  const std::string recipe = folder / "net.toml";
  write_file(recipe, "[model]\nfamily = \"resnet\"\nlayers = 8\nform = \"residual\"\ninputs = [3, 4, 4]\n");
  const std::vector<std::string> common{"--recipe", recipe, "--inputs", "gaussian", "--samples", "3"};
  const auto with = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), common.begin(), common.end());
    return arguments;
  };
  const json whole = resnet_json(with({"jacobian", "--statistics", "batch", "--json"}));
  CHECK(whole["statistics"] == "batch");
  CHECK(whole["rows"] == 3 * 64);
  CHECK(whole["cols"] == 3 * 256);
  CHECK(whole["samples"].size() == 1);
  const json frozen = resnet_json(with({"jacobian", "--statistics", "frozen", "--json"}));
  CHECK(frozen["statistics"] == "frozen");
  CHECK(frozen["rows"] == 64);
  CHECK(frozen["samples"].size() == 3);
  const json ends = resnet_json(with({"spectrum", "--statistics", "batch", "--method", "lanczos", "--json"}));
  CHECK(ends["statistics"] == "batch");
  CHECK(ends["samples"][0]["singular_values"][0].get<double>() ==
        doctest::Approx(whole["samples"][0]["singular_values"][0].get<double>()));
  const CommandResult text = run_command(with({"spectrum", "--statistics", "batch", "--seeds", "2"}));
  CHECK(mentions(text.out, {"192 x 768", "seeds 1 to 2, batch norm with the statistics of these inputs"}));
  check_one_line(run_command(with({"spectrum", "--statistics", "batch", "--set", "model.norm=none"})), 2,
                 {"--statistics", "no batch norm"});
  check_one_line(
      run_command({"spectrum", "--recipe", recipe, "--statistics", "batch", "--convolution", "layer1.0.conv1"}), 2,
      {"--statistics", "one kernel"});
}

TEST_CASE("resnet: what does not fit is said in one line before anything is written") {
  const SmallResNet net;
  const auto refused = [&](std::vector<std::string> settings, int code, const std::vector<std::string>& parts) {
    std::vector<std::string> arguments;
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    CAPTURE(settings[0]);
    check_one_line(net.train("no", arguments), code, parts);
  };
  refused({"train.batch_size=13"}, 2, {"last batch of the 40 images has 1", "data.train_size = 39"});
  refused({"train.batch_size=1"}, 2, {"batch_size is 1", "two images"});
  refused({"train.micro_batches=8"}, 2, {"micro_batches is 8", "single images"});
  refused({"model.layers=9"}, 2, {"9 layers", "6 n + 2"});
  refused({"model.inputs=[3, 28, 28]"}, 2, {"model.inputs is [3, 28, 28]"});
  refused({"model.outputs=7"}, 2, {"model.outputs is 7", "10 classes"});
  refused({"model.norm=layer_norm"}, 2, {"batch or none"});
  refused({"model.activation=tanh"}, 2, {"relu"});
  refused({"model.init=orthogonal"}, 2, {"as published"});
  refused({"model.form=post_norm"}, 2, {"norms around its branch"});
  refused({"model.depth=3"}, 2, {"model.depth", "fc"});
  refused({"train.memory=much"}, 2, {"train.memory", "'much'"});
  refused({"data.name=sources", "data.flip=false", "data.crop_padding=0"}, 2, {"resnet takes images"});
  const std::string recipe = net.folder / "other.toml";
  write_file(recipe, "[model]\nfamily = \"resnet\"\ninputs = [3, 30, 32]\noutputs = 10\n");
  check_one_line(run_command({"spectrum", "--recipe", recipe}), 2, {"[3, 30, 32]", "divisible by 4"});
  write_file(recipe, "[model]\nfamily = \"fc\"\nnorm = \"batch\"\nform = \"post_norm\"\n");
  check_one_line(run_command({"info", recipe}), 2, {"model.norm is batch", "ResNets"});
}
