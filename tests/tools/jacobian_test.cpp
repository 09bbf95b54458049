// rezero jacobian: the real binary against the library, at networks small enough to check, and what it says to bad
// input.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "autograd/transforms.h"
#include "core/linalg.h"
#include "core/ops.h"
#include "data/dataset.h"
#include "data/npy.h"
#include "support/close.h"
#include "support/command.h"
#include "support/inputs.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"
#include "support/toy_network.h"
#include "tools/rezero/model.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

json jacobian_json(const Arguments& arguments) {
  const CommandResult result = run_command(Arguments{"jacobian"} + arguments + Arguments{"--json"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(result.error.empty());
  return json::parse(result.out);
}

void check_jacobian_error(const Arguments& arguments, int code, const std::vector<std::string>& parts) {
  check_refused(Arguments{"jacobian"} + arguments, code, parts);
}

std::vector<double> values_of(const json& result, std::size_t sample) {
  return result["samples"][sample]["singular_values"].get<std::vector<double>>();
}

void check_isometry(int depth, int samples) {
  const json result =
      jacobian_json({"--recipe", quickstart_recipe, "--set", "model.depth=" + std::to_string(depth), "--set",
                     "model.width=128", "--inputs", "gaussian", "--samples", std::to_string(samples)});
  CHECK(result["rows"] == 128);
  CHECK(result["cols"] == 128);
  CHECK(result["of"] == "stack");
  CHECK(result["samples"].size() == static_cast<std::size_t>(samples));
  for (std::size_t i = 0; i < result["samples"].size(); ++i) {
    for (const double sigma : values_of(result, i)) CHECK(sigma == 1.0);
    for (const double log : result["samples"][i]["log10_singular_values"]) CHECK(log == 0.0);
  }
  CHECK(result["summary"]["max"] == 1.0);
  CHECK(result["summary"]["min"] == 1.0);
  CHECK(result["summary"]["condition_number"] == 1.0);
}

}  // namespace

TEST_CASE("jacobian: at a = 0 every singular value of the stack is exactly 1") {
  check_isometry(1, 3);
  check_isometry(64, 2);
}

TEST_CASE("jacobian: at a = 0 every singular value of the stack is exactly 1, at depth 1000 [slow]") {
  check_isometry(1000, 1);
}

TEST_CASE("jacobian: stack and network are those of the library, weights in F64 are not rounded") {
  ToyNetwork toy;
  const Tensor x = normal_input({3, 5}, "jacobian test");
  save_npy(toy.folder / "x.npy", x);
  const Arguments common{"--recipe", toy.recipe, "--weights", toy.weights, "--input", toy.folder / "x.npy"};
  const json network = jacobian_json(common + Arguments{"--of", "network"}), stack = jacobian_json(common);
  CHECK(network["schema"] == 1);
  CHECK(network["rows"] == 3);
  CHECK(network["cols"] == 5);
  CHECK(network["precision"] == "f64");
  CHECK(stack["rows"] == 4);
  CHECK(stack["cols"] == 4);
  const nn::Stages stages = toy.model.stages();
  for (std::int64_t i = 0; i < 3; ++i) {
    const Tensor whole = jacobian([&](const Variable& v) { return toy.model(v); }, x.rows(i, 1));
    CHECK(close(values_of(network, static_cast<std::size_t>(i)), svdvals(whole), 1e-14));
    const Tensor first = stages.input(Variable(x.rows(i, 1))).value();
    const Tensor inner = jacobian([&](const Variable& v) { return stages.stages[1](stages.stages[0](v)); }, first);
    CHECK(close(values_of(stack, static_cast<std::size_t>(i)), svdvals(inner), 1e-14));
  }
  // Rounding the weights to f32 would show.
  const json rough = jacobian_json(common + Arguments{"--of", "network", "--precision", "f32"});
  CHECK(rough["precision"] == "f32");
  CHECK(std::abs(values_of(rough, 0)[0] - values_of(network, 0)[0]) > 1e-10);
  CHECK(close(values_of(rough, 0), values_of(network, 0), 1e-5));
}

TEST_CASE("jacobian: a section of the stack is the product of its layers' Jacobians") {
  ToyNetwork toy;
  const Tensor x = normal_input({2, 5}, "jacobian sections");
  save_npy(toy.folder / "x.npy", x);
  const Arguments common{"--recipe", toy.recipe, "--weights", toy.weights, "--input", toy.folder / "x.npy"};
  const json whole = jacobian_json(common), first = jacobian_json(common + Arguments{"--to", "1"}),
             last = jacobian_json(common + Arguments{"--from", "1"});
  CHECK(whole["from"] == 0);
  CHECK(whole["to"] == 2);
  CHECK(first["to"] == 1);
  CHECK(last["from"] == 1);
  CHECK_FALSE(jacobian_json(common + Arguments{"--of", "network"}).contains("from"));
  CHECK(jacobian_json(common + Arguments{"--from", "0", "--to", "2"}) == whole);
  const nn::Stages stages = toy.model.stages();
  for (std::int64_t i = 0; i < 2; ++i) {
    const Tensor h = stages.input(Variable(x.rows(i, 1))).value();
    const Tensor j_1 = jacobian(stages.stages[0], h),
                 j_2 = jacobian(stages.stages[1], stages.stages[0](Variable(h)).value());
    const auto sample = static_cast<std::size_t>(i);
    CHECK(close(values_of(first, sample), svdvals(j_1), 1e-14));
    CHECK(close(values_of(last, sample), svdvals(j_2), 1e-14));
    CHECK(close(values_of(whole, sample), svdvals(ops::gemm(Transpose::no, j_2, Transpose::no, j_1)), 1e-14));
  }
  const std::string csv = toy.folder / "s.csv", svg = toy.folder / "s.svg", out = toy.folder / "s.json";
  const CommandResult text = run_command(Arguments{"jacobian"} + common + Arguments{"--from", "1", "--svg", svg});
  CHECK(mentions(text.out, {"Jacobian of the stack from hidden state 1 to 2, 4 x 4"}));
  CHECK(mentions(contents(svg), {"stack from hidden state 1 to 2"}));
  REQUIRE(run_command(Arguments{"jacobian"} + common + Arguments{"--from", "1", "--out", out}).exit_code == 0);
  CHECK(json::parse(contents(out)) == last);

  check_jacobian_error(common + Arguments{"--from", "2"}, 2, {"--from", "2 to 2"});
  check_jacobian_error(common + Arguments{"--to", "3"}, 2, {"--to", "hidden state 3", "0 to 2"});
  check_jacobian_error(common + Arguments{"--of", "network", "--from", "1"}, 2, {"--from", "--of stack"});
  check_jacobian_error(common + Arguments{"--of", "network", "--to", "1"}, 2, {"--to", "--of stack"});
  check_jacobian_error({"--recipe", toy.recipe, "--set", "model.form=residual_scalars", "--from", "1"}, 2,
                       {"looks back", "whole stack"});
}

TEST_CASE("jacobian: sections at gates of 0 are the identity, of a Transformer, too") {
  const TemporaryFolder folder;
  const std::string recipe = folder / "encoder.toml";
  write_file(recipe, "[model]\nfamily = \"encoder\"\nlayers = 4\nd_model = 8\nheads = 2\nfeed_forward = 12\n");
  const Arguments common{"--recipe", recipe, "--tokens", "3", "--samples", "2"};
  const json middle = jacobian_json(common + Arguments{"--from", "1", "--to", "3"});
  CHECK(middle["rows"] == 24);
  CHECK(middle["to"] == 3);
  for (std::size_t i = 0; i < 2; ++i)
    for (const double sigma : values_of(middle, i)) CHECK(sigma == 1.0);
  const auto log_determinant = [&](const Arguments& section) {
    const json r = jacobian_json(common + Arguments{"--set", "model.form=pre_norm"} + section);
    double sum = 0;
    for (const json& log : r["samples"][0]["log10_singular_values"]) sum += log.get<double>();
    return sum;
  };
  const double whole = log_determinant({});
  for (const std::string k : {"1", "3"})
    CHECK(close(log_determinant({"--to", k}) + log_determinant({"--from", k}), whole, 1e-10));
}

TEST_CASE("jacobian: fields of the result fit each other, memory changes nothing, dead directions are exact zeros") {
  ToyNetwork toy;
  const Arguments common{"--recipe", toy.recipe, "--weights", toy.weights, "--inputs", "gaussian", "--samples", "6"};
  const json all = jacobian_json(common), few = jacobian_json(common + Arguments{"--memory", "2 KiB"});
  for (std::size_t i = 0; i < 6; ++i) CHECK(close(values_of(few, i), values_of(all, i), 1e-14));
  double largest = 0, squares = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    const std::vector<double> values = values_of(all, i);
    for (std::size_t j = 0; j < values.size(); ++j) {
      CHECK((j == 0 || values[j] <= values[j - 1]));
      CHECK(close(all["samples"][i]["log10_singular_values"][j].get<double>(), std::log10(values[j]), 1e-15));
      largest = std::max(largest, values[j]);
      squares += values[j] * values[j] / 24;
    }
  }
  CHECK(all["summary"]["max"] == largest);
  CHECK(close(all["summary"]["mean_square"].get<double>(), squares, 1e-13));
  CHECK(close(all["floor"].get<double>(), 4 * 0x1p-52 * largest, 1e-13));
  // Without output weights nothing reaches the outputs.
  toy.save_weights(toy.folder / "dead.safetensors", [](NamedTensor& t) {
    if (t.name == "linear_output.weight") t.tensor = Tensor::zeros(t.tensor.shape(), DType::f64);
  });
  const json dead = jacobian_json({"--recipe", toy.recipe, "--weights", toy.folder / "dead.safetensors", "--inputs",
                                   "gaussian", "--of", "network", "--samples", "2"});
  CHECK(dead["samples"][0]["exact_zeros"] == 3);
  CHECK(dead["samples"][0]["resolved"] == 0);
  CHECK(dead["samples"][0]["log10_singular_values"][0].is_null());
  CHECK(dead["summary"]["mean_log"].is_null());
}

TEST_CASE("jacobian: inputs are validation images in order, or arrays of several shapes") {
  const TemporaryFolder folder;
  const Arguments recipe{"--recipe", quickstart_recipe,    "--set", "model.form=deep",
                         "--set",    "model.depth=2",      "--set", "model.width=8",
                         "--set",    "data.train_size=10", "--set", "data.validation_size=20"};
  const tool::Recipe r =
      tool::load_recipe(quickstart_recipe, Arguments{"data.train_size=10", "data.validation_size=20"});
  const Tensor images = decode_images(tool::load_data(r).validation, 0, 20, {}, DType::f64);
  save_npy(folder / "flat.npy", images);
  save_npy(folder / "images.npy", images.reshape({20, 3, 32, 32}));
  save_npy(folder / "one.npy", images.rows(0, 1).reshape({3072}));
  save_npy(folder / "one_image.npy", images.rows(0, 1).reshape({3, 32, 32}));
  const json data = jacobian_json(recipe + Arguments{"--inputs", "data", "--samples", "2"});
  CHECK(jacobian_json(recipe + Arguments{"--samples", "2"}) == data);
  CHECK(jacobian_json(recipe).at("samples").size() == 10);
  for (const char* name : {"flat.npy", "images.npy"}) {
    CHECK(jacobian_json(recipe + Arguments{"--input", folder / name, "--samples", "2"}) == data);
    CHECK(jacobian_json(recipe + Arguments{"--input", folder / name}).at("samples").size() == 20);
  }
  for (const char* name : {"one.npy", "one_image.npy"}) {
    const json one = jacobian_json(recipe + Arguments{"--input", folder / name});
    CHECK(one["samples"].size() == 1);
    CHECK(one["samples"][0] == data["samples"][0]);
  }
  const Arguments imagenet = recipe + Arguments{"--set", "data.normalisation=imagenet", "--set", "data.flip=true"};
  const Normalisation constants{.mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}};
  save_npy(folder / "imagenet.npy", decode_images(tool::load_data(r).validation, 0, 2, constants, DType::f64));
  const json normalised = jacobian_json(imagenet + Arguments{"--samples", "2"});
  CHECK(normalised == jacobian_json(imagenet + Arguments{"--input", folder / "imagenet.npy"}));
  CHECK(normalised["samples"] != data["samples"]);
  check_jacobian_error(recipe + Arguments{"--inputs", "data", "--samples", "21"}, 2, {"--samples", "21", "has 20"});
  check_jacobian_error(recipe + Arguments{"--input", folder / "one.npy", "--samples", "2"}, 2, {"--samples", "has 1"});
}

TEST_CASE("jacobian: a recipe with inputs and outputs needs no data, and gaussian inputs open none") {
  ToyNetwork toy;
  CHECK(jacobian_json({"--recipe", toy.recipe}).at("samples").size() == 10);
  const Arguments cifar{"--recipe", quickstart_recipe,      "--set", "data.name=cifar10",
                        "--set",    "data.path=/not/there", "--set", "model.width=8"};
  CHECK(jacobian_json(cifar + Arguments{"--inputs", "gaussian"}).at("samples").size() == 10);
  check_jacobian_error(cifar, 1, {"/not/there"});
}

TEST_CASE("jacobian: the files it writes") {
  ToyNetwork toy;
  const TemporaryFolder out;
  const Arguments common{"jacobian", "--recipe", toy.recipe, "--weights", toy.weights, "--samples", "2"};
  const CommandResult result =
      run_command(common + Arguments{"--json", "--out", out / "a.json", "--svg", out / "a.svg"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(contents(out / "a.json") == result.out);
  CHECK(mentions(contents(out / "a.svg"), {"<svg", "toy", "log10"}));
  REQUIRE(run_command(common + Arguments{"--out", out / "a.npz"}).exit_code == 0);
  REQUIRE(run_command(common + Arguments{"--out", out / "a.csv"}).exit_code == 0);
  const std::vector<NamedTensor> arrays = load_npz(out / "a.npz");
  CHECK(arrays.at(0).name == "singular_values");
  CHECK(arrays.at(0).tensor.shape() == Shape{2, 4});
  CHECK(close(arrays.at(0).tensor.rows(1, 1).to_vector(), values_of(json::parse(result.out), 1), 0));
  CHECK(mentions(contents(out / "a.csv"), {"sample,index,singular_value", "\n0,0,", "\n1,3,"}));
  const CommandResult text = run_command(common);
  CHECK(mentions(text.out, {"toy", "stack", "4 x 4", "largest", "condition number", "8 of 8"}));
  CHECK(mentions(run_command({"jacobian", "--recipe", toy.recipe}).out, {"exactly 1: dynamical isometry"}));

  const Arguments bare(common.begin() + 1, common.end());
  check_jacobian_error(bare + Arguments{"--out", out / "a.txt"}, 2, {"--out", "a.txt", ".npz"});
  check_jacobian_error(bare + Arguments{"--out", out / "a.csv/b.csv"}, 1, {"a.csv/b.csv"});
  check_jacobian_error(bare + Arguments{"--svg", out / "none/b.svg"}, 1, {"none/b.svg"});
  check_jacobian_error(bare + Arguments{"--json", "--out", "/dev/full"}, 1, {"/dev/full"});
  CHECK(run_command(common, {"/dev/full", {}, {}}).exit_code == 1);
  CHECK(out.names() == std::vector<std::string>{"a.csv", "a.json", "a.npz", "a.svg"});
}

TEST_CASE("jacobian: weights that do not fit, of another type, or not finite") {
  ToyNetwork toy;
  const std::string bad = toy.folder / "bad.safetensors";
  const auto check_weights = [&](const std::function<void(NamedTensor&)>& change,
                                 const std::vector<std::string>& parts) {
    toy.save_weights(bad, change);
    check_jacobian_error({"--recipe", toy.recipe, "--weights", bad}, 1, parts);
  };
  check_weights(
      [](NamedTensor& t) { t.name = "module." + t.name; },
      {bad, "missing", "linear_input.weight", "unexpected", "module.linear_input.weight", "without", "module."});
  check_weights(
      [](NamedTensor& t) {
        if (t.name == "resweight") t.name = "alpha";
      },
      {"missing", "resweight", "unexpected", "alpha"});
  check_weights(
      [](NamedTensor& t) {
        if (t.name == "linear_layers.1.bias") t.tensor = Tensor::zeros({7}, DType::f64);
      },
      {"linear_layers.1.bias", "[7]", "[4]"});
  check_weights(
      [](NamedTensor& t) {
        if (t.name == "linear_output.bias") t.tensor = t.tensor.to(DType::i32);
      },
      {"linear_output.bias", "i32"});
  check_weights(
      [](NamedTensor& t) {
        if (t.name == "linear_layers.0.weight") t.tensor.data<double>()[5] = NAN;
      },
      {"row 1, column 1", "linear_layers.0.weight", "not finite"});
  check_jacobian_error({"--recipe", toy.recipe, "--weights", toy.folder / "none.safetensors"}, 1, {"none.safetensors"});
  // Names with a slash are nobody's parameters.
  SafetensorsContents contents = load_safetensors(toy.weights);
  contents.tensors.push_back({"optimizer/sum/resweight", Tensor::zeros({2})});
  save_safetensors(bad, contents.tensors);
  CHECK(jacobian_json({"--recipe", toy.recipe, "--weights", bad}) ==
        jacobian_json({"--recipe", toy.recipe, "--weights", toy.weights}));
}

TEST_CASE("jacobian: inputs that do not fit, and wrong usage") {
  ToyNetwork toy;
  const Arguments common{"--recipe", toy.recipe};
  const std::string bad = toy.folder / "bad.npy";
  const auto check_input = [&](const Tensor& x, const std::vector<std::string>& parts) {
    save_npy(bad, x);
    check_jacobian_error(common + Arguments{"--input", bad}, 1, parts);
  };
  check_input(Tensor::zeros({3, 4}), {bad, "[samples, 5]", "[3, 4]"});
  check_input(Tensor::zeros({}), {bad, "[]"});
  check_input(Tensor::zeros({0, 5}), {bad, "no sample"});
  check_input(Tensor::of({2, 5}, std::vector<double>{0, 0, 0, 0, 0, 0, 0, NAN, 0, 0}), {bad, "entry 2 of sample 1"});
  write_file(bad, "not an array");
  check_jacobian_error(common + Arguments{"--input", bad}, 1, {bad});
  check_jacobian_error(common + Arguments{"--input", toy.folder / "none.npy"}, 1, {"none.npy"});

  check_jacobian_error({}, 2, {"RUN", "--recipe"});
  check_jacobian_error({"some/run", "--recipe", toy.recipe}, 2, {"--recipe"});
  check_jacobian_error({toy.folder / "nothing"}, 1, {"nothing"});
  check_jacobian_error(common + Arguments{"--checkpoint", "last"}, 2, {"--checkpoint"});
  check_jacobian_error({"some/run", "--set", "model.depth=1"}, 2, {"--set"});
  check_jacobian_error(common + Arguments{"--set", "model.depth=-1"}, 2, {"model.depth"});
  check_jacobian_error(common + Arguments{"--inputs", "gaussian", "--input", "x.npy"}, 2, {"--input"});
  check_jacobian_error(common + Arguments{"--inputs", "uniform"}, 2, {"--inputs", "uniform"});
  check_jacobian_error(common + Arguments{"--samples", "0"}, 2, {"--samples"});
  check_jacobian_error(common + Arguments{"--precision", "bf16"}, 2, {"--precision", "bf16", "f64"});
  check_jacobian_error(common + Arguments{"--of", "layers"}, 2, {"--of", "layers"});
  check_jacobian_error(common + Arguments{"--memory", "3 parsecs"}, 2, {"--memory", "3 parsecs", "MiB"});
  check_jacobian_error(common + Arguments{"--memory", "-1GB"}, 2, {"--memory", "-1GB"});
  check_jacobian_error(common + Arguments{"--memory", "8"}, 1,
                       {"--memory: 8 is too little", "J and its SVD take 256 bytes", "least"});
}

TEST_CASE("jacobian: of a run, at its checkpoints") {
  const TemporaryFolder folder;
  REQUIRE(run_command(small_training(folder / "run", {"--set", "train.steps=5"})).exit_code == 0);
  const Arguments common{folder / "run", "--samples", "2"};
  const json last = jacobian_json(common), initial = jacobian_json(common + Arguments{"--checkpoint", "initial"});
  CHECK(initial["summary"]["max"] == 1.0);
  CHECK(initial["summary"]["min"] == 1.0);
  CHECK(last["summary"]["max"] != 1.0);
  CHECK(jacobian_json(common + Arguments{"--checkpoint", "5"}) == last);
  CHECK(jacobian_json(common + Arguments{"--weights", folder / "run/checkpoints/step-0.safetensors"}) == initial);
  check_jacobian_error(common + Arguments{"--checkpoint", "77"}, 1, {"77"});
  check_jacobian_error(common + Arguments{"--checkpoint", "last", "--weights", "x"}, 2, {"--weights"});
  std::string bytes = contents(folder / "run/checkpoints/step-5.safetensors");
  bytes[bytes.size() - 100] = static_cast<char>(bytes[bytes.size() - 100] ^ 16);
  write_file(folder / "run/checkpoints/step-5.safetensors", bytes);
  check_jacobian_error(common, 1, {"last.safetensors", "checksum"});
}
