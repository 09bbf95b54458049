// rezero eval: the real binary against the library, and what it says to bad input.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "data/npy.h"
#include "support/close.h"
#include "support/command.h"
#include "support/inputs.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"
#include "support/toy_network.h"
#include "tools/rezero/classification.h"
#include "tools/rezero/confusion.h"
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
  CHECK(result.size() == 6);
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

TEST_CASE("eval: an example is in the top k if fewer than k logits are larger than its label's") {
  const double nan = std::nan(""), inf = HUGE_VAL;
  const std::vector<double> logits{1, 3, 3, 2, -inf, inf};
  CHECK(tool::in_top(1, logits, 5));
  CHECK_FALSE(tool::in_top(1, logits, 1));
  CHECK(tool::in_top(2, logits, 1));
  CHECK(tool::in_top(2, logits, 2));  // equal ones are not larger
  CHECK_FALSE(tool::in_top(3, logits, 3));
  CHECK(tool::in_top(4, logits, 3));
  CHECK_FALSE(tool::in_top(5, logits, 4));
  CHECK_FALSE(tool::in_top(5, std::vector<double>{1, nan}, 0));  // NaN is never right
  CHECK_FALSE(tool::in_top(5, std::vector<double>{nan, 1}, 0));
}

namespace {

// Examples of the toy network's 5 inputs.
Dataset toy_data(std::vector<std::uint16_t> labels) {
  const auto size = static_cast<std::int64_t>(labels.size());
  return {.name = "toy",
          .image_shape = {5},
          .class_names = {"a", "b, c", "d"},
          .pixels = {},
          .labels = std::move(labels),
          .values = normal_input({size, 5}, "toy data")};
}

}  // namespace

TEST_CASE("eval: logits that are not numbers are wrong, and in no column of the confusion matrix") {
  ToyNetwork toy;
  const Dataset data = toy_data({0, 0, 2, 2, 2});
  const tool::Classification sound = tool::classify(toy.model, data, {});
  CHECK(sound.evaluation.examples == 5);
  CHECK(sound.evaluation.accuracy == tool::evaluate(toy.model, data, {}).accuracy);
  CHECK(sound.evaluation.loss == tool::evaluate(toy.model, data, {}).loss);
  CHECK(sound.examples == std::vector<std::int64_t>{2, 0, 3});
  CHECK(sound.top5 == 1);
  CHECK(sound.unpredicted == 0);
  CHECK_FALSE(sound.accuracy(1));
  CHECK(std::accumulate(sound.confusion.begin(), sound.confusion.end(), std::int64_t{0}) == 5);
  CHECK(json::parse("{" + tool::classes_json(sound) + "}")["per_class_accuracy"][1].is_null());
  CHECK(tool::confusion_csv(sound, data.class_names).starts_with("true_class,a,\"b, c\",d\na,"));
  for (int i = 0; i < toy.model.parameters().size(); ++i)
    if (toy.model.parameters()[i].name() == "linear_output.bias")
      toy.model.parameters()[i].value().data<double>()[1] = std::nan("");
  const tool::Classification none = tool::classify(toy.model, data, {});
  CHECK(none.evaluation.accuracy == 0);
  CHECK(none.top5 == 0);
  CHECK(none.unpredicted == 5);
  CHECK(none.accuracy(2) == 0);
  CHECK_FALSE(none.mistaken_for(2));
  CHECK(none.confusion == std::vector<std::int64_t>(9, 0));
  CHECK(mentions(tool::classes_text(none, data.class_names), {"5 of the examples", "not a number", "b, c", "-"}));
}

TEST_CASE("eval: top-5, classes and confusions follow from the outputs") {
  const TemporaryFolder folder;
  const std::string run_path = folder / "run", x = folder / "x.npy", y = folder / "y.npy";
  REQUIRE(run_command(small_training(run_path, {"--set", "train.steps=10"})).exit_code == 0);
  const DataSplits data = tool::load_data(tool::load_recipe(run_path + "/recipe.toml"));
  save_npy(x, decode_images(data.validation, 0, 100, {}, DType::f64));
  run_eval({run_path, "--input", x, "--output", y, "--precision", "f64"});
  const std::vector<double> logits = load_npy(y).to_vector();
  double top5 = 0;
  std::vector<std::vector<std::int64_t>> confusion(10, std::vector<std::int64_t>(10, 0));
  for (std::int64_t i = 0; i < 100; ++i) {
    const double* row = logits.data() + 10 * i;
    const std::int64_t label = data.validation.label(i), predicted = std::max_element(row, row + 10) - row;
    top5 += std::count_if(row, row + 10, [&](double logit) { return logit > row[label]; }) < 5;
    ++confusion[static_cast<std::size_t>(label)][static_cast<std::size_t>(predicted)];
  }
  const std::string npy = folder / "c.npy", csv = folder / "c.csv", svg = folder / "c.svg", png = folder / "c.png";
  const Arguments common{run_path, "--precision", "f64"};
  const json result = json::parse(run_eval(common + Arguments{"--json", "--confusion", npy}).out);
  CHECK(result["top5"].get<double>() == doctest::Approx(top5 / 100));
  CHECK(result["top5"] > result["accuracy"]);
  CHECK(result["confusion_matrix"] == json(confusion));
  for (std::size_t c = 0; c < 10; ++c) {
    const auto all = std::accumulate(confusion[c].begin(), confusion[c].end(), std::int64_t{0});
    if (all == 0) CHECK(result["per_class_accuracy"][c].is_null());
    if (all > 0)
      CHECK(result["per_class_accuracy"][c] == static_cast<double>(confusion[c][c]) / static_cast<double>(all));
  }
  const Tensor matrix = load_npy(npy);
  CHECK(matrix.dtype() == DType::i64);
  CHECK(matrix.shape() == Shape{10, 10});
  for (std::size_t i = 0; i < 100; ++i) CHECK(matrix.to_integers()[i] == confusion[i / 10][i % 10]);

  const std::vector<std::string>& names = data.validation.class_names;
  CHECK(mentions(run_eval(common + Arguments{"--confusion", csv}).out,
                 {"(top-1)", "top-5", "most often taken for", names[0], "Confusion matrix", "written: ", csv}));
  CHECK(contents(csv).starts_with("true_class," + names[0] + "," + names[1]));
  CHECK(std::ranges::count(contents(csv), '\n') == 11);
  run_eval(common + Arguments{"--confusion", svg});
  for (const std::string& text : {std::string("run on shapes validation"), ">" + names[0] + "<",
                                  std::string(">taken for<"), std::string(">true class<")})
    CHECK_MESSAGE(contents(svg).find(text) != std::string::npos, text);
  run_eval(common + Arguments{"--confusion", png});
  CHECK(contents(png).starts_with("\x89PNG"));
  std::istringstream lines(run_eval(common).out);
  for (std::string line; std::getline(lines, line);)
    if (line.find("weights") == line.npos) CHECK_MESSAGE(line.size() <= 100, line);

  check_eval_error(common + Arguments{"--confusion", "c.txt"}, 2, {"--confusion", "c.txt", ".png"});
  check_eval_error(common + Arguments{"--confusion", csv, "--input", x, "--output", y}, 2, {"--confusion", "labels"});
  check_eval_error(common + Arguments{"--confusion", folder / "none/c.csv"}, 1, {"none/c.csv"});
}

TEST_CASE("eval: of many classes the worst are shown, and no line is too long") {
  const auto classification = [](std::int64_t n, std::int64_t each) {
    tool::Classification c{.evaluation = {}, .examples = {}, .correct = {}, .confusion = {}};
    c.examples.assign(static_cast<std::size_t>(n), each);
    c.confusion.assign(static_cast<std::size_t>(n * n), 0);
    for (std::int64_t k = 0; k < n; ++k) {
      const std::int64_t right = each - each * (n - k) / (2 * n);
      c.correct.push_back(right);
      c.confusion[static_cast<std::size_t>(k * n + k)] = right;
      c.confusion[static_cast<std::size_t>(k * n + (k + 1) % n)] += each - right;
    }
    return c;
  };
  for (const std::int64_t n : {2, 10, 20, 21, 100}) {
    for (const std::int64_t each : {1, 900, 9000, 5000000}) {
      CAPTURE(n);
      CAPTURE(each);
      const tool::Classification c = classification(n, each);
      std::vector<std::string> names;
      for (std::int64_t k = 0; k < n; ++k) names.push_back("a rather long name of class " + std::to_string(k));
      const std::string text = tool::classes_text(c, names);
      std::istringstream lines(text);
      for (std::string line; std::getline(lines, line);) CHECK_MESSAGE(line.size() <= 100, line);
      const bool matrix = n <= 10 || (n == 20 && each <= 900);
      CHECK((text.find("Confusion matrix") != text.npos) == matrix);
      CHECK((text.find("--confusion FILE.png") == text.npos) == matrix);
      if (n <= 20) continue;
      CHECK(mentions(text, {"The worst of", "classes"}));
      CHECK(std::ranges::count(text, '\n') == 3 + 10 + 2);
    }
  }
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
