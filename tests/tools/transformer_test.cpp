// Transformers in the command: weights and outputs of PyTorch (tests/nn/reference/make_transformer.py), Jacobians and
// spectra, and what is said to arrays that do not fit.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/npy.h"
#include "data/safetensors.h"
#include "support/close.h"
#include "support/command.h"
#include "support/inputs.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

std::string reference_folder() { return RZ_TEST_SOURCE_DIR "/nn/reference/transformer/"; }

struct PyTorchCase {
  const char* name;
  std::string recipe;  // beside the sizes
};
const std::vector<PyTorchCase> pytorch_cases{
    {"encoder_rezero", "family = \"encoder\"\nform = \"rezero\"\n"},
    {"encoder_rezero_gelu", "family = \"encoder\"\nform = \"rezero\"\nactivation = \"gelu\"\n"},
    {"encoder_post_norm", "family = \"encoder\"\nform = \"post_norm\"\n"},
    {"encoder_pre_norm", "family = \"encoder\"\nform = \"pre_norm\"\nactivation = \"gelu\"\nfinal_norm = true\n"},
    {"decoder_rezero", "family = \"decoder\"\nform = \"rezero\"\n"},
    {"decoder_post_norm", "family = \"decoder\"\nform = \"post_norm\"\n"},
    {"decoder_pre_norm", "family = \"decoder\"\nform = \"pre_norm\"\nfinal_norm = true\n"},
    {"lm_rezero", "family = \"char_transformer\"\nform = \"rezero\"\ncontext = 9\noutputs = 11\n"},
    {"lm_post_norm", "family = \"char_transformer\"\nform = \"post_norm\"\ncontext = 9\noutputs = 11\n"},
};

std::string sizes(int layers = 2) {
  return "[model]\nlayers = " + std::to_string(layers) + "\nd_model = 8\nheads = 2\nfeed_forward = 12\n";
}

struct SmallEncoder {
  TemporaryFolder folder;
  std::string recipe = folder / "encoder.toml";
  explicit SmallEncoder(const std::string& more = "family = \"encoder\"\n", int layers = 2) {
    write_file(recipe, sizes(layers) + more);
  }
};

json json_of(const Arguments& arguments) {
  const CommandResult result = run_command(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  return json::parse(result.out);
}

}  // namespace

TEST_CASE("transformer: outputs agree with PyTorch's, masks and memory included") {
  const TemporaryFolder folder;
  const std::string recipe = folder / "net.toml", output = folder / "y.npy";
  for (const PyTorchCase& c : pytorch_cases) {
    CAPTURE(c.name);
    write_file(recipe, sizes() + c.recipe);
    const std::string files = reference_folder() + c.name;
    const Tensor expected = load_npy(files + ".npy");
    for (const auto& [precision, tolerance] : {std::pair{"f64", 1e-12}, {"f32", 1e-5}}) {
      const CommandResult result =
          run_command({"eval", "--recipe", recipe, "--weights", files + ".safetensors", "--input", files + ".npz",
                       "--output", output, "--precision", precision});
      REQUIRE_MESSAGE(result.exit_code == 0, result.error);
      CHECK(close(load_npy(output).to(DType::f64), expected, tolerance));
    }
  }
}

TEST_CASE("transformer: positions are the file's, which may have more of them") {
  const TemporaryFolder folder;
  const std::string recipe = folder / "net.toml", weights = folder / "w.safetensors",
                    files = reference_folder() + "lm_rezero";
  write_file(recipe, sizes() + "family = \"char_transformer\"\nform = \"rezero\"\noutputs = 11\n");
  const auto outputs = [&](std::int64_t context) {
    return run_command({"eval", "--recipe", recipe, "--set", "model.context=" + std::to_string(context), "--weights",
                        weights, "--input", files + ".npz", "--output", folder / "y.npy", "--precision", "f64"});
  };
  // The reference has 9 positions: 20, of which the last are of no use to 9.
  std::vector<NamedTensor> arrays = load_safetensors(files + ".safetensors").tensors;
  for (NamedTensor& array : arrays) {
    if (array.name != "pos_encoder.pe") continue;
    const Tensor longer = Tensor::full({20, 1, 8}, 3, array.tensor.dtype());
    longer.rows(0, 9).copy_from(array.tensor);
    array.tensor = longer;
  }
  save_safetensors(weights, arrays);
  CHECK(outputs(9).exit_code == 0);
  CHECK(close(load_npy(folder / "y.npy").to(DType::f64), load_npy(files + ".npy"), 1e-12));
  const CommandResult few = outputs(21);
  CHECK(few.exit_code == 1);
  CHECK(mentions(few.error, {"pos_encoder.pe [20, 1, 8]", "[21, 1, 8]"}));
}

TEST_CASE("transformer: the Jacobian of masked examples, one by one, is that of finite differences") {
  const TemporaryFolder folder;
  const std::string recipe = folder / "net.toml", output = folder / "y.npy",
                    files = reference_folder() + "decoder_rezero";
  write_file(recipe, sizes() + "family = \"decoder\"\nform = \"rezero\"\n");
  const Arguments network{"--recipe", recipe, "--weights", files + ".safetensors"};
  const json r = json_of(Arguments{"jacobian", "--input", files + ".npz", "--json"} + network);
  CHECK(r["rows"] == 40);
  CHECK(r["samples"].size() == 3);
  // The sum of squared singular values is that of J's entries, here of differences of outputs.
  std::vector<NamedTensor> arrays = load_npz(files + ".npz");
  const double step = 1e-6;
  double sum = 0;
  for (int k = 0; k < 40; ++k) {
    Tensor ends[2];
    for (const int end : {0, 1}) {
      std::vector<NamedTensor> moved = arrays;
      for (NamedTensor& array : moved) {
        if (array.name != "tgt") continue;
        array.tensor = array.tensor.clone();
        array.tensor.data<double>()[2 * 40 + k] += end == 0 ? -step : step;  // the last example
      }
      save_npz(folder / "x.npz", moved);
      run_command(Arguments{"eval", "--input", folder / "x.npz", "--output", output, "--precision", "f64"} + network);
      ends[end] = load_npy(output).rows(2, 1).clone();
    }
    for (std::int64_t i = 0; i < 40; ++i) {
      const double slope = (ends[1].data<double>()[i] - ends[0].data<double>()[i]) / (2 * step);
      sum += slope * slope;
    }
  }
  double squares = 0;
  for (const json& sigma : r["samples"][2]["singular_values"]) squares += sigma.get<double>() * sigma.get<double>();
  CHECK(squares == doctest::Approx(sum).epsilon(1e-6));
}

TEST_CASE("transformer: product form and explicit Jacobian agree; gates at 0 give the identity") {
  const SmallEncoder small("family = \"encoder\"\nform = \"pre_norm\"\n", 6);
  const Arguments common{"spectrum", "--recipe", small.recipe, "--tokens", "3", "--samples", "1", "--json"};
  const json exact = json_of(common + Arguments{"--method", "exact"});
  const json product = json_of(common + Arguments{"--method", "product"});
  CHECK(exact["rows"] == 24);
  const auto values = [](const json& r) { return r["samples"][0]["singular_values"].get<std::vector<double>>(); };
  CHECK(close(Tensor::of({24}, values(product), DType::f64), Tensor::of({24}, values(exact), DType::f64), 1e-11));
  const CommandResult normed =
      run_command({"spectrum", "--recipe", small.recipe, "--set", "model.form=post_norm", "--tokens", "3"});
  CHECK(mentions(normed.out, {"6 of the smallest values", "LayerNorm", "mean", "length", "3 tokens"}));
  CHECK(normed.out.find("the product form resolves") == std::string::npos);
  const CommandResult explicitly =
      run_command({"jacobian", "--recipe", small.recipe, "--set", "model.form=post_norm", "--tokens", "3"});
  CHECK(mentions(explicitly.out, {"6 of the smallest values", "LayerNorm"}));
  const SmallEncoder closed("family = \"char_transformer\"\nform = \"rezero\"\ncontext = 8\noutputs = 11\n");
  const json identity = json_of(
      {"jacobian", "--recipe", closed.recipe, "--tokens", "5", "--inputs", "gaussian", "--samples", "2", "--json"});
  for (const json& sample : identity["samples"])
    for (const json& sigma : sample["singular_values"]) CHECK(sigma == 1);
}

TEST_CASE("transformer: blocks of the Jacobian by tokens") {
  const SmallEncoder language("family = \"char_transformer\"\nform = \"rezero\"\ncontext = 6\noutputs = 11\n");
  const std::string csv = language.folder / "b.csv", npz = language.folder / "b.npz";
  const Arguments jacobian{"jacobian", "--recipe", language.recipe, "--tokens", "4", "--inputs", "gaussian"};
  const auto norms = [&](const Arguments& more) {
    const CommandResult result = run_command(jacobian + more + Arguments{"--blocks", npz});
    REQUIRE_MESSAGE(result.exit_code == 0, result.error);
    CHECK(result.out.ends_with("written: " + npz + "\n"));
    return load_npz(npz)[0].tensor;
  };
  CHECK(close(norms({}), Tensor::identity(4), 0));  // gates at 0
  for (const std::string of : {"stack", "network"}) {
    const Tensor causal = norms({"--set", "model.gate=0.5", "--of", of});
    for (std::int64_t i = 0; i < 4; ++i)
      for (std::int64_t j = 0; j < 4; ++j) CHECK((causal.data<double>()[4 * i + j] > 0) == (j <= i));
  }
  CHECK(run_command(jacobian + Arguments{"--blocks", csv}).exit_code == 0);
  CHECK(contents(csv).starts_with("output_token,input_token,norm\n0,0,1\n0,1,0\n"));
  const std::string svg = language.folder / "b.svg";
  CHECK(run_command(jacobian + Arguments{"--blocks", svg}).exit_code == 0);
  CHECK(mentions(contents(svg), {"by tokens", "input token"}));
  check_refused(jacobian + Arguments{"--blocks", "b.txt"}, 2, {"--blocks", "b.txt", ".png"});
  check_refused({"jacobian", "--recipe", quickstart_recipe, "--blocks", csv}, 2, {"--blocks", "no tokens"});
}

TEST_CASE("transformer: propagate tells of tokens and attention, with memory held fixed") {
  const SmallEncoder decoder("family = \"decoder\"\nform = \"post_norm\"\n");
  const json signals = json_of({"propagate", "--recipe", decoder.recipe, "--tokens", "3", "--json"});
  REQUIRE(signals["layers"].size() == 3);
  CHECK(signals["layers"][0]["attention_entropy"].is_null());
  CHECK(signals["layers"][0]["token_cosine"].is_number());
  const double entropy = signals["layers"][1]["attention_entropy"];
  CHECK(entropy > 0);
  CHECK(entropy <= std::log(3.0) + 1e-12);
  const CommandResult text = run_command({"propagate", "--recipe", decoder.recipe, "--tokens", "3"});
  CHECK(mentions(text.out, {"token cosine", "entropy", "no theory"}));
  const CommandResult fc =
      run_command({"propagate", "--recipe", quickstart_recipe, "--inputs", "gaussian", "--samples", "2", "--json"});
  CHECK(fc.out.find("token_cosine") == std::string::npos);
}

TEST_CASE("transformer: arrays that do not fit are named in one line") {
  const SmallEncoder small;
  const Arguments eval{"eval", "--recipe", small.recipe, "--output", small.folder / "y.npy", "--input"};
  const std::string npz = small.folder / "x.npz", npy = small.folder / "x.npy";
  const Tensor x = normal_input({2, 3, 8}, "transformer command"), mask = Tensor::zeros({3, 3}, DType::f64);
  const auto refused = [&](const std::vector<NamedTensor>& arrays, const std::vector<std::string>& parts) {
    save_npz(npz, arrays);
    check_refused(eval + Arguments{npz}, 1, parts);
  };
  refused({{"src_mask", mask}}, {npz, "src", "missing"});
  refused({{"src", x}, {"src_masc", mask}}, {"src_masc", "did you mean", "src_mask"});
  refused({{"src", x}, {"src_mask", Tensor::zeros({3, 2}, DType::f64)}}, {"src_mask", "[3, 2]", "[3, 3]"});
  refused({{"src", x}, {"src_key_padding_mask", mask}}, {"src_key_padding_mask", "[3, 3]", "[2, 3]"});
  refused({{"src", x}, {"src_mask", Tensor::full({3, 3}, NAN, DType::f64)}}, {"src_mask", "NaN"});
  refused({{"src", x}, {"src_mask", Tensor::zeros({3, 3}, DType::i64)}}, {"src_mask", "i64", "boolean"});
  refused({{"src", normal_input({2, 3, 7}, "x")}}, {"src", "[2, 3, 7]", "[batch, tokens, 8]"});
  refused({{"src", x}, {"memory", x}}, {"memory", "not known"});
  save_npy(npy, x.rows(0, 1).reshape({3, 8}));  // one example
  CHECK(run_command(eval + Arguments{npy}).exit_code == 0);
  const SmallEncoder language("family = \"char_transformer\"\ncontext = 4\noutputs = 11\n");
  const auto tokens = [&](const std::vector<double>& values, const std::vector<std::string>& parts) {
    save_npy(npy, Tensor::of({static_cast<std::int64_t>(values.size())}, values, DType::i64));
    check_refused({"eval", "--recipe", language.recipe, "--output", small.folder / "y.npy", "--input", npy}, 1, parts);
  };
  tokens({1, 11}, {"src", "11", "vocabulary"});
  tokens({1, 2, 3, 4, 5}, {npy, "src", "5 tokens", "positions for 4"});
  const SmallEncoder decoder("family = \"decoder\"\n");
  check_refused({"eval", "--recipe", decoder.recipe, "--output", small.folder / "y.npy", "--input", npz}, 1,
                {"src", "not known"});
}

TEST_CASE("transformer: a tied matrix goes by either of its names in a file") {
  const SmallEncoder tied("family = \"char_transformer\"\ncontext = 9\noutputs = 11\ntie_weights = true\n");
  const std::string weights = tied.folder / "w.safetensors", output = tied.folder / "y.npy";
  const std::string files = reference_folder() + "lm_rezero";
  const auto find = [](std::vector<NamedTensor>& arrays, const char* name) {
    return std::ranges::find(arrays, name, &NamedTensor::name);
  };
  const auto eval = [&](const std::vector<NamedTensor>& arrays) {
    save_safetensors(weights, arrays);
    return run_command({"eval", "--recipe", tied.recipe, "--weights", weights, "--input", files + ".npz", "--output",
                        output, "--precision", "f64"});
  };
  const std::vector<NamedTensor> untied = load_safetensors(files + ".safetensors").tensors;
  std::vector<NamedTensor> both = untied, encoder = untied, decoder = untied;
  find(both, "decoder.weight")->tensor = find(both, "encoder.weight")->tensor;
  encoder.erase(find(encoder, "decoder.weight"));
  find(decoder, "decoder.weight")->tensor = find(both, "encoder.weight")->tensor;
  decoder.erase(find(decoder, "encoder.weight"));
  std::vector<Tensor> outputs;
  for (const std::vector<NamedTensor>& arrays : {both, encoder, decoder}) {
    const CommandResult result = eval(arrays);
    REQUIRE_MESSAGE(result.exit_code == 0, result.error);
    outputs.push_back(load_npy(output));
  }
  CHECK(identical(outputs[0], outputs[1]));
  CHECK(identical(outputs[0], outputs[2]));
  CHECK(mentions(eval(untied).error, {"encoder.weight and decoder.weight differ", "tie_weights"}));
}

TEST_CASE("transformer: an encoder-decoder learns from reverse alone, and has no network with a single input") {
  const TemporaryFolder folder;
  const std::string recipe = folder / "s.toml", x = folder / "x.npy";
  write_file(recipe, sizes() + "family = \"seq2seq\"\n[data]\nlength = 3\n");
  const std::string plain = folder / "plain.toml";
  write_file(plain, sizes() + "family = \"seq2seq\"\n");
  const auto training = [&](const Arguments& more) {
    return Arguments{"train", plain, "--out", folder / "run"} + more;
  };
  check_refused(training({"--set", "data.name=sources", "--set", "data.context=16"}), 2,
                {"model.family", "seq2seq", "sources", "reverse"});
  check_refused(training({"--set", "model.family=char_transformer", "--set", "data.name=reverse"}), 2,
                {"char_transformer", "does not learn from reverse"});
  check_refused({"jacobian", "--recipe", recipe, "--of", "network"}, 2, {"--of", "encoder-decoder"});
  check_refused({"spectrum", "--recipe", recipe, "--of", "network"}, 2, {"--of", "encoder-decoder"});
  save_npy(x, Tensor::of({1, 4}, std::vector<double>{1, 2, 3, 4}, DType::i64));
  check_refused({"jacobian", "--recipe", recipe, "--input", x}, 1, {x, "src", "4 tokens", "takes 6"});
}

TEST_CASE("transformer: keys of another family, and recipes that cannot be, are refused") {
  const SmallEncoder small;
  const auto refused = [&](const std::string& setting, const std::vector<std::string>& parts) {
    check_refused({"info", small.recipe, "--set", setting}, 2, parts);
  };
  refused("model.width=5", {"model.width", "family fc", "encoder"});
  refused("model.tie_weights=true", {"model.tie_weights", "char_transformer", "encoder"});
  refused("model.heads=3", {"3", "8"});
  refused("model.init=mean_field", {"mean_field"});
  refused("model.gates=none", {"model.gates"});
  check_refused({"spectrum", "--recipe", small.recipe, "--tokens", "0"}, 2, {"--tokens"});
}
