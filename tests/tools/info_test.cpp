// rezero info: this build and this machine, and the table of a recipe's model.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/close.h"
#include "support/command.h"
#include "support/temporary_folder.h"
#include "tools/rezero/self_test.h"

using namespace rz::test;
using nlohmann::json;

namespace {

const std::string recipes = RZ_TEST_SOURCE_DIR "/../tools/recipes/";

}  // namespace

TEST_CASE("info: the build and the machine") {
  const CommandResult text = run_command({"info", "--threads", "1"});
  CHECK(text.exit_code == 0);
  CHECK(text.error.empty());
  CHECK(mentions(text.out, {"rezero 0.", "commit", "processor", "instruction set", "1 of", "devices", "cpu", "OpenBLAS",
                            "passed", "shapes", "cifar10"}));
  const CommandResult result = run_command({"info", "--json"});
  const json r = json::parse(result.out);
  CHECK(r["self_test"]["passed"] == true);
  CHECK(r["self_test"]["worst_error"] < 1.0);
  CHECK(r["self_test"]["products"] == 112);
  CHECK(r["threads"] == r["cores"]);
  CHECK(r["data_sets"].size() >= 2);
  const CommandResult forced = run_command({"info"}, {"", {{"REZERO_ISA", "baseline"}}, {}});
  CHECK(mentions(forced.out, {"instruction set", "baseline", "passed"}));
}

TEST_CASE("info: the BLAS self-test passes in this process") {
  const rz::tool::SelfTest test = rz::tool::blas_self_test();
  CHECK_MESSAGE(test.passed, test.failure);
  CHECK(test.worst > 0);
}

TEST_CASE("info: the table of a recipe's model") {
  const CommandResult text = run_command({"info", recipes + "fc64-rezero.toml"});
  CHECK(text.exit_code == 0);
  CHECK(mentions(text.out, {"x + a F(x)", "linear_input.weight", "[256, 3072]", "linear_layers.{0..63}.weight",
                            "resweight", "total"}));
  const CommandResult json_text = run_command({"info", recipes + "fc64-rezero.toml", "--set", "model.depth=2", "--set",
                                               "model.form=deep_layer_norm", "--json"});
  const json r = json::parse(json_text.out);
  CHECK(r["form"] == "deep_layer_norm");
  CHECK(r["scalars"] == 3072 * 256 + 256 + 2 * (256 * 256 + 256) + 2560 + 10 + 512);
  CHECK(r["parameters"].size() == 10);
  CHECK(r["parameters"][0]["name"] == "linear_input.weight");
  CHECK(r["parameters"][0]["shape"] == json{256, 3072});
  CHECK(r["parameters"][0]["role"] == "weight");
  for (const char* form : {"deep", "residual", "deep-layer-norm", "rezero"})
    CHECK(run_command({"info", recipes + "fc64-" + form + ".toml"}).exit_code == 0);
}

TEST_CASE("info: bad input and wrong usage") {
  const TemporaryFolder folder;
  check_refused({"info", folder / "none.toml"}, 1, {"none.toml"});
  check_refused({"info", "--set", "model.depth=2"}, 2, {"--set"});
  check_refused({"info", recipes + "quickstart.toml", "--set", "model.widht=2"}, 2, {"model.widht", "model.width"});
  check_refused({"info", recipes + "quickstart.toml", "--set", "model.width=-2"}, 2, {"model.width"});
  write_file(folder / "bad.toml", "[model]\ndepth = two\n");
  check_refused({"info", folder / "bad.toml", "--json"}, 2, {"bad.toml:2:"});
  CHECK(run_command({"info"}, {"/dev/full", {}, {}}).exit_code == 1);
}

TEST_CASE("info: --measure tells isometric, conformal and neither apart") {
  const auto measure = [](const std::string& form, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"info",
                                       recipes + "quickstart.toml",
                                       "--measure",
                                       "--set",
                                       "model.form=" + form,
                                       "--set",
                                       "model.depth=12",
                                       "--set",
                                       "model.width=24"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const CommandResult result = run_command(arguments);
    CHECK(result.exit_code == 0);
    CHECK(result.error.empty());
    return result.out;
  };
  CHECK(mentions(measure("rezero"), {"|F|/|x|", "scale: 1,", "spread: 1 ", "exactly 1: dynamical isometry"}));
  CHECK(mentions(measure("residual_scalars"), {"s = 1.15 ... 1.05", "5.8", "conformal, but not isometric"}));
  CHECK(mentions(measure("post_norm", {"--set", "model.depth=40"}), {"grow", "drowned"}));
  const json r = json::parse(measure("deepnorm", {"--json"}));
  CHECK(r["start"]["layers"].size() == 12);
  CHECK(r["start"]["layers"][3]["gate"].is_null());
  CHECK(r["start"]["layers"][11]["norm"].get<double>() > 0.99);
  CHECK(r["start"]["layers"][11]["norm"].get<double>() < 1.01);
  CHECK(r["constants"].get<std::string>().starts_with("s = n^(1/4) = 1.861"));
  check_refused({"info", "--measure"}, 2, {"--measure", "no recipe"});
}
