// rezero weights: the real binary on runs and on files of others, and what it says to bad input.
#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/npy.h"
#include "data/safetensors.h"
#include "support/close.h"
#include "support/command.h"
#include "support/inputs.h"
#include "support/python.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"
#include "tools/rezero/name_groups.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

CommandResult run_weights(Arguments arguments) {
  arguments.insert(arguments.begin(), "weights");
  CommandResult result = run_command(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(result.error.empty());
  return result;
}

void check_weights_error(Arguments arguments, int code, const std::vector<std::string>& parts) {
  arguments.insert(arguments.begin(), "weights");
  check_refused(arguments, code, parts);
}

// All types that a file can hold, one prefix, and numbers that are not finite.
std::vector<NamedTensor> mixed_tensors() {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {{"module.layers.0.weight", Tensor::of({2, 2}, std::vector{3.0, 0.0, 0.0, 4.0}, DType::f32)},
          {"module.layers.1.weight", Tensor::of({2, 2}, std::vector{nan, infinity, 6.0, 8.0}, DType::f32)},
          {"module.scale", Tensor::of({3}, std::vector{1.5, -2.0, 0.25}, DType::bf16)},
          {"module.double", Tensor::of({1}, std::vector{1e200})},
          {"module.steps", Tensor::of_integers({}, std::vector<std::int64_t>{7})},
          {"module.ids", Tensor::of_integers({2}, std::vector<std::int64_t>{1, 2}, DType::i32)},
          {"module.mask", Tensor::of_integers({2}, std::vector<std::int64_t>{0, 1}, DType::u8)},
          {"other", Tensor::of({1}, std::vector{1.0}, DType::f32)}};
}

std::string group_text(const std::vector<tool::NamedKind>& names) {
  std::string text;
  for (const tool::NameGroup& group : tool::group_names(names))
    text += group.name + ":" + std::to_string(group.members.size()) + " ";
  return text;
}

}  // namespace

TEST_CASE("weights: names that differ in a number alone are put together") {
  CHECK(group_text({{"a.0.w", ""}, {"a.0.b", ""}, {"a.1.w", ""}, {"a.1.b", ""}, {"c", ""}}) ==
        "a.{0..1}.w:2 a.{0..1}.b:2 c:1 ");
  CHECK(group_text({{"a.0", ""}, {"a.1", ""}, {"a.10", ""}, {"a.11", ""}, {"a.2", ""}}) == "a.{0..2}:3 a.{10..11}:2 ");
  CHECK(group_text({{"a.0.w", "[2]"}, {"a.1.w", "[3]"}, {"a.2.w", "[3]"}}) == "a.0.w:1 a.{1..2}.w:2 ");
  CHECK(group_text({{"a.01", ""}, {"a.1", ""}, {"a.02", ""}, {"0", ""}, {"", ""}, {".", ""}}) ==
        "a.01:1 a.1:1 a.02:1 0:1 :1 .:1 ");
  CHECK(group_text({{"a.5.b.1", ""}, {"a.6.b.1", ""}, {"a.6.b.2", ""}}) == "a.{5..6}.b.1:2 a.6.b.2:1 ");
  const auto groups = tool::group_names(std::vector<tool::NamedKind>{{"x.1", ""}, {"x.0", ""}});
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].members == std::vector<std::size_t>{1, 0});
}

TEST_CASE("weights: a run's checkpoints, listed and written, give the same network") {
  const TemporaryFolder folder;
  const std::string net = folder / "run";
  REQUIRE(run_command(small_training(net, {"--set", "train.epochs=1"})).exit_code == 0);
  const CommandResult text = run_weights({net});
  CHECK(mentions(text.out, {"last.safetensors", "(agrees)", "linear_layers.{0..2}.weight", "[16, 16]", "f32", "768",
                            "resweight", "total", "not listed: 24 with a slash"}));
  CHECK(!mentions(text.out, {"optimizer/sum_of_squares"}));
  CHECK(mentions(run_weights({net, "--all"}).out,
                 {"train/step", "optimizer/sum_of_squares/linear_layers.{0..2}.weight"}));
  const json initial = json::parse(run_weights({net, "--checkpoint", "initial", "--json"}).out);
  CHECK(initial["tensors"].size() == 11);
  CHECK(initial["tensors"][0]["name"] == "linear_input.weight");
  CHECK(initial["tensors"][0]["shape"] == json{16, 3072});
  CHECK(initial["tensors"].back()["norm"] == 0.0);  // resweight
  CHECK(initial["written"].is_null());

  const std::string safetensors = folder / "net.safetensors", npz = folder / "net.npz";
  CHECK(mentions(run_weights({net, "--to", safetensors}).out, {"written: " + safetensors}));
  run_weights({net, "--to", npz});
  const SafetensorsContents written = load_safetensors(safetensors);
  CHECK(written.metadata.at("format") == "pt");
  CHECK(written.tensors.size() == 11);
  for (const NamedTensor& t : load_npz(npz)) CHECK(identical(t.tensor, *written.find(t.name)));
  const auto loss = [](const CommandResult& result) { return json::parse(result.out)["loss"].get<double>(); };
  CHECK(loss(run_command({"eval", net, "--json"})) ==
        loss(run_command({"eval", "--recipe", net + "/recipe.toml", "--weights", safetensors, "--json"})));
  run_weights({net, "--all", "--to", safetensors});
  CHECK(load_safetensors(safetensors).metadata.at("format") == "rezero checkpoint 1");
}

TEST_CASE("weights: types, numbers that are not finite, and a prefix") {
  const TemporaryFolder folder;
  const std::string mixed = folder / "mixed.safetensors", npz = folder / "mixed.npz";
  save_safetensors(mixed, mixed_tensors());
  const CommandResult text = run_weights({mixed, "--prefix", "module.", "--to", npz});
  CHECK(mentions(text.out, {"1e+200", "layers.{0..1}.weight", "5 to 10", "not finite: layers.1.weight (2 of 4)",
                            "bf16 became f32 in 1 tensor"}));
  CHECK(!mentions(text.out, {"other"}));
  const json r = json::parse(run_weights({npz, "--json"}).out);
  CHECK(r["tensors"].size() == 7);
  CHECK(r["non_finite"] == 2);
  for (const json& t : r["tensors"]) {
    CAPTURE(t.dump());
    if (t["name"] == "layers.1.weight") CHECK(t["norm"] == 10.0);
    if (t["name"] == "scale") CHECK(t["type"] == "f32");
    if (t["name"] == "mask") CHECK(t["type"] == "u8");
  }
  run_weights({mixed, "--to", folder / "copy.safetensors"});
  CHECK(load_safetensors(folder / "copy.safetensors").find("module.scale")->dtype() == DType::bf16);
  save_safetensors(mixed, {});
  CHECK(mentions(run_weights({mixed}).out, {"total"}));
}

TEST_CASE("weights: halves become f32 in what is written") {
  const TemporaryFolder folder;
  std::string bytes = R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})";
  bytes =
      std::string(1, static_cast<char>(bytes.size())) + std::string(7, '\0') + bytes + std::string("\0\x3C\0\xC0", 4);
  write_file(folder / "h.safetensors", bytes);
  CHECK(mentions(run_weights({folder / "h.safetensors", "--to", folder / "f.safetensors"}).out,
                 {"f16 became f32 in 1 tensor"}));
  CHECK(load_safetensors(folder / "f.safetensors").find("h")->to_vector() == std::vector<double>{1, -2});
}

TEST_CASE("weights: a net of 10,000 layers fits a screen") {
  const TemporaryFolder folder;
  std::vector<NamedTensor> tensors;
  const Tensor weight = Tensor::identity(2, DType::f32), bias = Tensor::zeros({2});
  for (int layer = 0; layer < 10000; ++layer) {
    tensors.push_back({"linear_layers." + std::to_string(layer) + ".weight", weight});
    tensors.push_back({"linear_layers." + std::to_string(layer) + ".bias", bias});
  }
  save_safetensors(folder / "deep.safetensors", tensors);
  const CommandResult text = run_weights({folder / "deep.safetensors"});
  CHECK(mentions(text.out, {"linear_layers.{0..9999}.weight", "40,000", "60,000"}));
  CHECK(text.out.size() < 1000);
}

TEST_CASE("weights: bad input and wrong usage") {
  const TemporaryFolder folder;
  const std::string good = folder / "good.safetensors";
  save_safetensors(good, mixed_tensors());
  check_weights_error({}, 2, {"RUN|FILE"});
  check_weights_error({folder / "none.npz"}, 1, {"none.npz", "No such file"});
  check_weights_error({folder.path()}, 1, {"is no run"});
  check_weights_error({good, "--checkpoint", "best"}, 2, {"--checkpoint", "is no run"});
  check_weights_error({good, "--prefix", "modul_"}, 2, {"--prefix", "begins with modul_"});
  check_weights_error({good, "--prefix", "other"}, 2, {"--prefix", "leaves nothing"});
  check_weights_error({good, "--to", folder / "a.pt"}, 2, {"--to", ".safetensors or .npz"});
  check_weights_error({good, "--to", good}, 2, {"--to", "the file that is read"});
  check_weights_error({good, "--to", folder / "none/a.npz"}, 1, {"none/a.npz", "cannot be written"});
  std::string bytes = contents(good);
  bytes[bytes.size() - 6] ^= 1;
  write_file(folder / "bad.safetensors", bytes);
  check_weights_error({folder / "bad.safetensors", "--to", folder / "a.npz"}, 1, {"is damaged"});
  CHECK(contents(folder / "a.npz").empty());
  write_file(folder / "net.pt", "PK\x03\x04 and so on");
  check_weights_error({folder / "net.pt"}, 1, {"pickle", "safetensors.torch.save_file"});
  write_file(folder / "cut.npz", "PK\x03\x04 and so on");
  check_weights_error({folder / "cut.npz"}, 1, {"no .npz archive"});
  save_safetensors(folder / "slash.safetensors", std::vector<NamedTensor>{{"a/b", Tensor::zeros({1})}});
  check_weights_error({folder / "slash.safetensors", "--to", folder / "a.npz"}, 1,
                      {"has no weights to write", "--all"});
  CHECK(run_command({"weights", good}, {"/dev/full", {}, {}}).exit_code == 1);
}

TEST_CASE("weights: unzip, NumPy and PyTorch read what is written, and the other way round") {
  const TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", mixed_tensors());
  run_weights({folder / "a.safetensors", "--to", folder / "b.npz"});
  run_weights({folder / "a.safetensors", "--to", folder / "b.safetensors"});
  if (shell("unzip -v").exit_code == 0) {
    const ShellResult unzip = shell("unzip -t '" + folder / "b.npz" + "'");
    CHECK_MESSAGE(unzip.exit_code == 0, unzip.output);
  } else {
    MESSAGE("skipped: there is no unzip");
  }
  const std::string python = python_with("torch, numpy, safetensors.torch");
  if (python.empty()) return;
  write_file(folder / "a.py", R"(
import numpy, safetensors.torch, torch
a, b = safetensors.torch.load_file("a.safetensors"), safetensors.torch.load_file("b.safetensors")
n = numpy.load("b.npz")
assert list(n.files) and set(a) == set(b) == set(n.files)
for name, t in a.items():
    assert torch.equal(t.nan_to_num(), b[name].nan_to_num()) and t.dtype == b[name].dtype
    t = t.float() if t.dtype == torch.bfloat16 else t
    assert numpy.array_equal(t.numpy(), n[name], equal_nan=t.is_floating_point()), name
    assert t.numpy().dtype == n[name].dtype, name
numpy.savez("c.npz", **{"layers.0.weight": numpy.eye(3, dtype="f4"), "n": numpy.int64(4)})
safetensors.torch.save_file({"h": torch.tensor([0.5, float("nan")]).half(), "m": torch.tensor([True])}, "c.safetensors")
)");
  const ShellResult result = shell("cd '" + folder.path() + "' && '" + python + "' a.py");
  REQUIRE_MESSAGE(result.exit_code == 0, result.output);
  CHECK(mentions(run_weights({folder / "c.npz"}).out, {"layers.0.weight", "[3, 3]", "1.7321", "i64"}));
  CHECK(mentions(run_weights({folder / "c.safetensors"}).out, {"f16", "bool", "not finite: h (1 of 2)"}));
}

TEST_CASE("weights: a run's checkpoints are not written over") {
  const TemporaryFolder folder;
  REQUIRE(run_command(small_training(folder / "run", {"--set", "train.steps=2"})).exit_code == 0);
  const std::string before = contents(folder / "run/checkpoints/step-2.safetensors");
  for (const char* target : {"run/checkpoints/last.safetensors", "run/checkpoints/new.npz"}) {
    const CommandResult result =
        run_command({"weights", folder / "run", "--checkpoint", "initial", "--to", folder / target});
    CHECK(result.exit_code == 2);
    CHECK(one_line_error(result));
    CHECK(mentions(result.error, {"--to", "checkpoint of a run"}));
  }
  CHECK(contents(folder / "run/checkpoints/step-2.safetensors") == before);
}
