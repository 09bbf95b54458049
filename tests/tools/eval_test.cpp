// rezero eval: the real binary against the library, and what it says to bad input.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/npy.h"
#include "support/close.h"
#include "support/command.h"
#include "support/inputs.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"
#include "support/toy_network.h"
#include "tools/rezero/metrics.h"
#include "tools/rezero/model.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

CommandResult run_eval(const Arguments& arguments) {
  CommandResult result = run_command(Arguments{"eval"} + arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(result.error.empty());
  return result;
}

void check_eval_error(const Arguments& arguments, int code, const std::vector<std::string>& parts) {
  check_refused(Arguments{"eval"} + arguments, code, parts);
}

}  // namespace

TEST_CASE("eval: outputs for given inputs are the model's, in the type asked for") {
  ToyNetwork toy;
  const Tensor x = normal_input({700, 5}, "eval test");  // more than a batch
  const std::string input = toy.folder / "x.npy", output = toy.folder / "y.npy";
  save_npy(input, x);
  const Arguments common{"--recipe", toy.recipe, "--weights", toy.weights, "--input", input, "--output", output};
  const Tensor expected = toy.model(Variable(x)).value();
  CHECK(mentions(run_eval(common + Arguments{"--precision", "f64"}).out, {"700", "f64", output}));
  CHECK(load_npy(output).dtype() == DType::f64);
  CHECK(close(load_npy(output), expected, 1e-15));
  const json result = json::parse(run_eval(common + Arguments{"--json"}).out);
  CHECK(result == json{{"examples", 700}, {"outputs", 3}, {"precision", "f32"}, {"output", output}});
  CHECK(load_npy(output).dtype() == DType::f32);
  CHECK(load_npy(output).shape() == Shape{700, 3});
  CHECK(close(load_npy(output).to(DType::f64), expected, 1e-5));
  const std::string f32 = contents(output);
  CHECK(run_eval(common + Arguments{"--threads", "3"}).exit_code == 0);
  CHECK(contents(output) == f32);
  save_npy(input, x.rows(0, 1).reshape({5}));  // one input
  run_eval(common);
  CHECK(load_npy(output).shape() == Shape{1, 3});
}

TEST_CASE("eval: loss and accuracy of a run are those of its metrics, and follow from its outputs") {
  const TemporaryFolder folder;
  const std::string run_path = folder / "run", x = folder / "x.npy", y = folder / "y.npy";
  REQUIRE(run_command(small_training(run_path, {"--set", "train.epochs=2"})).exit_code == 0);
  const json result = json::parse(run_eval({run_path, "--json"}).out);
  const tool::Metrics last = tool::read_metrics(run_path + "/metrics.jsonl").back();
  CHECK(result.size() == 3);
  CHECK(result["examples"] == 100);
  CHECK(result["loss"] == last.validation_loss.value());
  CHECK(result["accuracy"] == last.validation_accuracy.value());
  CHECK(json::parse(run_eval({run_path, "--split", "train", "--json"}).out)["examples"] == 300);
  const json initial = json::parse(run_eval({run_path, "--checkpoint", "initial", "--json"}).out);
  CHECK(initial["loss"] != result["loss"]);
  CHECK(mentions(run_eval({run_path}).out,
                 {"run on shapes validation", "last.safetensors", "examples", "loss", "accuracy"}));

  const DataSplits data = tool::load_data(tool::load_recipe(run_path + "/recipe.toml"));
  save_npy(x, decode_images(data.validation, 0, 100, {}, DType::f64).reshape({100, 3, 32, 32}));
  run_eval({run_path, "--input", x, "--output", y, "--precision", "f64"});
  const std::vector<double> logits = load_npy(y).to_vector();
  double loss = 0, correct = 0;
  for (std::int64_t i = 0; i < 100; ++i) {
    const double* row = logits.data() + 10 * i;
    double sum = 0;
    for (int c = 0; c < 10; ++c) sum += std::exp(row[c]);
    loss += (std::log(sum) - row[data.validation.label(i)]) / 100;
    correct += std::max_element(row, row + 10) - row == data.validation.label(i);
  }
  CHECK(close(result["loss"].get<double>(), loss, 1e-5));
  CHECK(close(result["accuracy"].get<double>(), correct / 100, 1e-12));
  const json exact = json::parse(run_eval({run_path, "--precision", "f64", "--json"}).out);
  CHECK(close(exact["loss"].get<double>(), loss, 1e-12));
}

TEST_CASE("eval: data are normalised as in training, and never augmented") {
  const TemporaryFolder folder;
  const auto train = [&](const char* run, std::vector<std::string> more) {
    more.insert(more.end(), {"--set", "train.epochs=1"});
    REQUIRE(run_command(small_training(folder / run, more)).exit_code == 0);
  };
  const auto evaluated = [&](const char* run, const Arguments& more) {
    return json::parse(run_eval(Arguments{folder / run, "--json"} + more).out);
  };
  const std::vector<std::string> imagenet{"--set", "data.normalisation=imagenet"};
  train("notebook", {});
  train("imagenet", imagenet);
  train("augmented", Arguments(imagenet) + Arguments{"--set", "data.flip=true", "--set", "data.crop_padding=8", "--set",
                                                     "data.cutout=16"});
  const tool::Metrics last = tool::read_metrics(folder / "augmented/metrics.jsonl").back();
  CHECK(evaluated("augmented", {})["loss"] == last.validation_loss.value());
  CHECK(last.validation_loss != tool::read_metrics(folder / "imagenet/metrics.jsonl").back().validation_loss);
  // Initial weights are those of the seed, so that only the images differ.
  const Arguments initial{"--checkpoint", "initial", "--split", "train"};
  CHECK(evaluated("augmented", initial) == evaluated("imagenet", initial));
  CHECK(evaluated("augmented", initial) != evaluated("notebook", initial));
}

TEST_CASE("eval: bad input and wrong usage") {
  ToyNetwork toy;
  const std::string input = toy.folder / "x.npy", output = toy.folder / "y.npy";
  save_npy(input, normal_input({2, 5}, "eval test"));
  const Arguments recipe{"--recipe", toy.recipe}, arrays{"--input", input, "--output"};
  check_eval_error(recipe + Arguments{"--input", input}, 2, {"--input", "--output"});
  check_eval_error(recipe + Arguments{"--output", output}, 2, {"--output", "--input"});
  check_eval_error(recipe + arrays + Arguments{output, "--split", "train"}, 2, {"--split"});
  check_eval_error(recipe + arrays + Arguments{"/dev/full"}, 1, {"/dev/full"});
  check_eval_error(recipe + arrays + Arguments{input + "/y.npy"}, 1, {"x.npy/y.npy"});
  check_eval_error(recipe + arrays + Arguments{output, "--precision", "f16"}, 2, {"--precision", "f16"});
  check_eval_error(recipe + Arguments{"--split", "test"}, 2, {"--split", "test"});
  check_eval_error(recipe + Arguments{"--json"}, 2, {"[5]", "[3, 32, 32]"});
  check_eval_error({"--recipe", toy.folder / "none.toml"}, 1, {"none.toml"});
  check_eval_error({"--recipe", toy.recipe, "--set", "model.form=resnet"}, 2, {"resnet"});
  save_npy(input, normal_input({2, 6}, "eval test"));
  check_eval_error(recipe + arrays + Arguments{output}, 1, {input, "[samples, 5]", "[2, 6]"});
  toy.save_weights(toy.weights, [](NamedTensor& t) {
    if (t.name == "resweight") t.tensor = t.tensor.to(DType::i64);
  });
  check_eval_error(recipe + arrays + Arguments{output, "--weights", toy.weights}, 1, {"resweight", "i64"});
  CHECK(run_command(Arguments{"eval"} + recipe + arrays + Arguments{output}, {"/dev/full", {}, {}}).exit_code == 1);
  CHECK(contents(output).empty());
}
