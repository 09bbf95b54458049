// rezero spectrum, propagate and watch: the real binary, and what it says to bad input.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/npy.h"
#include "support/close.h"
#include "support/command.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"
#include "tools/rezero/evenly_spaced.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

// A small recipe on the shapes; its inputs are Gaussian.
class SmallRecipe {
 public:
  explicit SmallRecipe(const std::string& form) {
    write_file(path(), "[model]\nform = \"" + form +
                           "\"\ndepth = 6\nwidth = 12\nactivation = \"tanh\"\ninit = \"mean_field\"\nsigma_w = 1.2\n"
                           "sigma_b = 0.1\nbranch = \"activation_first\"\ninputs = [8]\noutputs = 3\n");
  }
  std::string path() const { return folder_.path() + "/r.toml"; }
  std::string file(const std::string& name) const { return folder_.path() + "/" + name; }
  Arguments arguments() const { return {"--recipe", path(), "--inputs", "gaussian", "--samples", "2"}; }

 private:
  TemporaryFolder folder_;
};

json run_json(const Arguments& arguments) {
  const CommandResult result = run_command(arguments + Arguments{"--json"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(result.error.empty());
  return json::parse(result.out);
}

}  // namespace

TEST_CASE("spectrum: product and exact agree, seeds draw weights, and the parts are named") {
  const SmallRecipe recipe("deep");
  const Arguments base = Arguments{"spectrum"} + recipe.arguments() + Arguments{"--seeds", "2"};
  const json product = run_json(base), exact = run_json(base + Arguments{"--method", "exact"});
  CHECK(product["method"] == "product");
  CHECK(product["floor"] == 0.0);
  CHECK(product["from"] == 0);
  CHECK(product["to"] == 6);
  REQUIRE(product["samples"].size() == 4);
  const json seeds = {1, 1, 2, 2}, inputs = {0, 1, 0, 1};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(product["samples"][i]["seed"] == seeds[i]);
    CHECK(product["samples"][i]["input"] == inputs[i]);
    for (std::size_t k = 0; k < 12; ++k)
      CHECK(product["samples"][i]["singular_values"][k].get<double>() ==
            doctest::Approx(exact["samples"][i]["singular_values"][k].get<double>()).epsilon(1e-9));
  }
  CHECK(product["samples"][0]["singular_values"] != product["samples"][2]["singular_values"]);
  CHECK(product["summary"]["mean_square_se"].is_number());
  const json part = run_json(base + Arguments{"--from", "2", "--to", "3"});
  CHECK(part["from"] == 2);
  CHECK(part["to"] == 3);
  CHECK(part["theory"]["mean"].get<double>() == doctest::Approx(std::sqrt(std::sqrt(1.0))).epsilon(0.2));
  CHECK(run_json(base + Arguments{"--of", "network"})["theory"].is_null());
}

TEST_CASE("spectrum: sections of the stack multiply to the whole, in product form and exactly") {
  const SmallRecipe recipe("deep");
  const auto log_determinant = [&](const Arguments& section) {
    const json r = run_json(Arguments{"spectrum"} + recipe.arguments() + section);
    std::vector<double> sums;
    for (const json& sample : r["samples"]) {
      double sum = 0;
      for (const json& log : sample["log10_singular_values"]) sum += log.get<double>();
      sums.push_back(sum);
    }
    return sums;
  };
  const std::vector<double> whole = log_determinant({});
  CHECK(log_determinant({"--from", "0", "--to", "6"}) == whole);
  for (const std::string method : {"product", "exact"}) {
    for (const std::string k : {"1", "4", "5"}) {
      const std::vector<double> first = log_determinant({"--method", method, "--to", k}),
                                last = log_determinant({"--method", method, "--from", k});
      for (std::size_t i = 0; i < 2; ++i) CHECK(close(first[i] + last[i], whole[i], 1e-9));
    }
  }
  const SmallRecipe closed("rezero");
  for (const std::string method : {"product", "exact"}) {
    const json identity = run_json(Arguments{"spectrum"} + closed.arguments() +
                                   Arguments{"--from", "2", "--to", "5", "--method", method});
    for (const json& value : identity["samples"][1]["singular_values"]) CHECK(value == 1.0);
    CHECK(identity["verdict"][0]["code"] == "isometric");
  }
}

TEST_CASE("spectrum: the theory and the words of a section are those of its layers") {
  const SmallRecipe recipe("deep");
  const Arguments base = Arguments{"spectrum"} + recipe.arguments(), section{"--from", "2", "--to", "5"};
  const json part = run_json(base + section);
  const json three =
      run_json({"theory", "--activation", "tanh", "--sigma-w", "1.2", "--sigma-b", "0.1", "--depth", "3"});
  CHECK(part["theory"] == three["spectrum"]);
  for (const json& v : part["verdict"])
    if (v["code"] == "finite_width") CHECK(v["value"].get<double>() <= 3.0 / 12);
  CHECK(mentions(run_command(base + section).out, {"Jacobian of the stack from hidden state 2 to 5, 12 x 12"}));
  CHECK(mentions(run_command(base).out, {"Jacobian of the stack, 12 x 12"}));
  CHECK(mentions(run_command(base + Arguments{"--method", "lanczos", "--to", "5"}).out,
                 {"Jacobian of the stack from hidden state 0 to 5"}));
  CHECK(run_command(base + Arguments{"--to", "5", "--svg", recipe.file("s.svg")}).exit_code == 0);
  CHECK(mentions(contents(recipe.file("s.svg")), {"stack from hidden state 0 to 5"}));
}

TEST_CASE("spectrum: what does not fit the memory is found exactly, or only its ends without J [slow]") {
  const SmallRecipe recipe("deep");
  const Arguments base = Arguments{"spectrum"} + recipe.arguments() + Arguments{"--from", "1"};
  const json product = run_json(base), exact = run_json(base + Arguments{"--memory", "5KiB"});
  CHECK(product["method"] == "product");
  CHECK(exact["method"] == "exact");
  CHECK(close(exact["samples"][1]["singular_values"].get<std::vector<double>>(),
              product["samples"][1]["singular_values"].get<std::vector<double>>(), 1e-12));
  CHECK(mentions(run_command(base + Arguments{"--memory", "5KiB"}).out, {"exact, not layer by layer", "9KiB", "5KiB"}));
  // J of 2,100 x 2,100 takes 35 MB, and its SVD as much; the bases of lanczos take 10 MB.
  const Arguments wide{"--recipe",  recipe.path(),
                       "--set",     "model.width=2100",
                       "--set",     "model.form=rezero",
                       "--inputs",  "gaussian",
                       "--samples", "1",
                       "--from",    "1",
                       "--to",      "2",
                       "--memory",  "20MB"};
  for (const std::string command : {"spectrum", "jacobian"}) {
    const json ends = run_json(Arguments{command} + wide);
    CHECK(ends["method"] == "lanczos");
    CHECK(ends["rows"] == 2100);
    CHECK(ends["from"] == 1);
    CHECK(ends["to"] == 2);
    CHECK(ends["samples"][0]["singular_values"].size() == 10);
    CHECK(ends["samples"][0]["singular_values"][0].get<double>() == doctest::Approx(1));
  }
  check_refused(Arguments{"spectrum"} + wide + Arguments{"--npz", recipe.file("s.npz")}, 1,
                {"--memory", "20MB", "J and its SVD", "least that would do is 70.6MB"});
}

TEST_CASE("spectrum: the summary is means over the samples, each with its standard error") {
  const SmallRecipe recipe("deep");
  const Arguments base = Arguments{"spectrum"} + recipe.arguments();
  const json two = run_json(base),
             one = run_json({"spectrum", "--recipe", recipe.path(), "--inputs", "gaussian", "--samples", "1"});
  for (const char* name : {"max", "min", "log10_max", "log10_min", "mean_square", "mean_log", "condition_number",
                           "log10_condition", "fraction_below_floor", "rank"}) {
    CAPTURE(name);
    CHECK(two["summary"][name].is_number());
    CHECK(two["summary"][std::string(name) + "_se"].is_number());
    CHECK(one["summary"][name].is_number());
    CHECK(one["summary"][std::string(name) + "_se"].is_null());
  }
  CHECK(two["summary"].size() == 20);
  const auto largest = [&](std::size_t i) { return two["samples"][i]["singular_values"][0].get<double>(); };
  CHECK(close(two["summary"]["max"].get<double>(), (largest(0) + largest(1)) / 2, 1e-15));
  CHECK(close(two["summary"]["max_se"].get<double>(), std::fabs(largest(0) - largest(1)) / 2, 1e-15));
  CHECK(one["summary"]["max"] == one["samples"][0]["singular_values"][0]);
}

TEST_CASE("spectrum: the theory is that of rezero theory, and the verdict has codes") {
  const SmallRecipe recipe("deep");
  const json s = run_json(Arguments{"spectrum"} + recipe.arguments());
  const json t = run_json({"theory", "--activation", "tanh", "--sigma-w", "1.2", "--sigma-b", "0.1", "--depth", "6"});
  CHECK(s["theory"] == t["spectrum"]);
  bool finite_width = false;
  for (const json& v : s["verdict"]) {
    CHECK(v["text"].is_string());
    CHECK(v["threshold"].is_number());
    finite_width = finite_width || v["code"] == "finite_width";
  }
  CHECK(finite_width);
  CHECK(run_json(Arguments{"spectrum"} + recipe.arguments() + Arguments{"--theory", "none"})["theory"].is_null());
  const SmallRecipe normed("pre_norm");
  const json none = run_json(Arguments{"spectrum"} + normed.arguments());
  CHECK(none["theory"].is_null());
  CHECK(none["theory_reason"].get<std::string>().find("pre_norm") != std::string::npos);
  check_refused(Arguments{"spectrum"} + normed.arguments() + Arguments{"--theory", "on"}, 2,
                {"pre_norm", "deep", "rezero"});
}

TEST_CASE("spectrum: gates at 0 are isometric in any series, files hold what is printed") {
  const SmallRecipe recipe("rezero");
  const json s = run_json(Arguments{"spectrum"} + recipe.arguments() +
                          Arguments{"--gates", "0,0.1", "--csv", recipe.file("s.csv"), "--npz", recipe.file("s.npz"),
                                    "--svg", recipe.file("s.svg"), "--png", recipe.file("s.png")});
  REQUIRE(s["series"].size() == 2);
  CHECK(s["series"][0]["gate"] == 0.0);
  CHECK(s["series"][0]["verdict"][0]["code"] == "isometric");
  for (const json& value : s["series"][0]["samples"][0]["singular_values"]) CHECK(value == 1.0);
  CHECK(s["series"][0]["theory"]["atoms"][0]["mass"] == 1.0);
  CHECK(s["series"][1]["summary"]["max"].get<double>() > 1.01);
  const std::string csv = contents(recipe.file("s.csv"));
  CHECK(csv.starts_with("gate,seed,input,index,sigma,log10_sigma,kind\n0,1,0,0,1,0,resolved\n"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + 2 * 2 * 12);
  CHECK(contents(recipe.file("s.svg")).find("gate 0.1") != std::string::npos);
  CHECK(contents(recipe.file("s.png")).starts_with("\x89PNG"));
  const json depths = run_json(Arguments{"spectrum"} + recipe.arguments() + Arguments{"--depths", "1,3"});
  CHECK(depths["series"][1]["depth"] == 3);
  CHECK(depths["series"][1]["to"] == 3);
}

TEST_CASE("spectrum: recipes side by side, of different widths") {
  const SmallRecipe closed("rezero"), deep("deep");
  const std::string wide = closed.file("wide.toml");
  std::string text = contents(deep.path());
  write_file(wide, text.replace(text.find("width = 12"), 10, "width = 16"));
  const Arguments both = Arguments{"spectrum"} + closed.arguments() + Arguments{"--beside", wide};
  const json s = run_json(
      both + Arguments{"--csv", closed.file("s.csv"), "--npz", closed.file("s.npz"), "--svg", closed.file("s.svg")});
  REQUIRE(s["series"].size() == 2);
  CHECK(s["series"][0]["recipe"] == "r");
  CHECK(s["series"][1]["recipe"] == "wide");
  CHECK(s["series"][1]["rows"] == 16);
  json alone = run_json({"spectrum", "--recipe", wide, "--inputs", "gaussian", "--samples", "2"});
  CHECK(s["series"][1]["samples"] == alone["samples"]);
  CHECK(contents(closed.file("s.csv")).starts_with("recipe,seed,input,index,sigma,log10_sigma,kind\nr,1,0,0,1,0,"));
  CHECK(mentions(contents(closed.file("s.svg")), {"2 recipes", ">r<", ">wide<"}));
  for (const NamedTensor& array : load_npz(closed.file("s.npz"))) {
    if (array.name != "log10_singular_values") continue;
    CHECK(array.tensor.shape() == Shape{4, 16});
    CHECK(std::isnan(array.tensor.to_vector()[12]));
    CHECK(!std::isnan(array.tensor.to_vector()[2 * 16 + 15]));
  }
  const Arguments twice =
      Arguments{"spectrum"} + closed.arguments() + Arguments{"--beside", deep.path()};  // both r.toml
  const std::string folder = closed.path().substr(0, closed.path().rfind('/'));
  CHECK(run_json(twice)["series"][0]["recipe"] == folder.substr(folder.rfind('/') + 1) + "/r");
  check_refused(both + Arguments{"--depths", "2"}, 2, {"--beside", "--depths"});
  check_refused(both + Arguments{"--picture", "edges", "--svg", "-"}, 2, {"--picture", "edges"});
  check_refused(both + Arguments{"--method", "lanczos"}, 2, {"--method", "lanczos", "series"});
  check_refused(both + Arguments{closed.file("none.toml")}, 1, {"none.toml"});
}

TEST_CASE("spectrum: edges and fan lay the theory's beside them where it has some") {
  const auto picture = [](const SmallRecipe& recipe, const Arguments& arguments) {
    run_json(Arguments{"spectrum"} + recipe.arguments() + arguments + Arguments{"--svg", recipe.file("p.svg")});
    return contents(recipe.file("p.svg"));
  };
  const SmallRecipe deep("deep"), rezero("rezero"), normed("pre_norm");
  const Arguments fan{"--picture", "fan"}, edges{"--picture", "edges", "--depths", "2,4"};
  for (const Arguments& kind : {fan, edges}) {
    const std::string to_zero = picture(deep, kind);  // Gaussian layers: the support begins at 0
    CHECK(mentions(to_zero, {">theory: largest<"}));
    CHECK(to_zero.find(">theory: smallest<") == to_zero.npos);
    CHECK(mentions(picture(rezero, kind + Arguments{"--set", "model.gate=0.1"}),
                   {">theory: largest<", ">theory: smallest<"}));
    CHECK(picture(normed, kind).find("theory") == std::string::npos);
  }
  // Of one member of the series there is no line to draw.
  CHECK(picture(deep, {"--picture", "edges", "--depths", "2"}).find("theory") == std::string::npos);
}

TEST_CASE("spectrum: lanczos and moments are near the whole spectrum") {
  const SmallRecipe recipe("deep");
  const Arguments base = Arguments{"spectrum"} + recipe.arguments();
  const json whole = run_json(base), ends = run_json(base + Arguments{"--method", "lanczos", "--top", "3"});
  const json sigma = whole["samples"][1]["singular_values"];
  const json& sample = ends["samples"][1];
  CHECK(sample["log10_singular_values"].size() == 3);
  CHECK(sample["smallest"].size() == 3);
  CHECK(sample["residuals"].size() == 6);
  CHECK(sample["log10_singular_values"][0].get<double>() ==
        doctest::Approx(std::log10(sigma[0].get<double>())).epsilon(1e-10));
  CHECK(sample["smallest"][0].get<double>() == doctest::Approx(sigma[11].get<double>()).epsilon(1e-8));
  const json moments = run_json(base + Arguments{"--method", "moments"})["moments"];
  REQUIRE(moments.size() == 12);
  CHECK(moments[0]["k"] == 1);
  CHECK(moments[0]["estimator"] == "hutchinson");
  CHECK(moments[1]["estimator"] == "hutch++");
  CHECK(moments[0]["value"].get<double>() ==
        doctest::Approx(whole["summary"]["mean_square"].get<double>()).epsilon(0.3));
  check_refused(base + Arguments{"--method", "lanczos", "--top", "13"}, 2, {"--top", "13", "12"});
}

TEST_CASE("layers at equal steps keep their number, and the last is one of them") {
  CHECK(tool::at_equal_steps(5, 41) == std::vector<std::size_t>{0, 1, 2, 3, 4});
  CHECK(tool::at_equal_steps(9, 5) == std::vector<std::size_t>{0, 2, 4, 6, 8});
  CHECK(tool::at_equal_steps(8, 3) == std::vector<std::size_t>{0, 4, 7});
  CHECK(tool::at_equal_steps(65, 41).size() == 33);
  CHECK(tool::at_equal_steps(1, 2) == std::vector<std::size_t>{0});
  CHECK(tool::at_equal_steps(0, 2).empty());
}

TEST_CASE("propagate: measured beside mean field, and gates at 0") {
  const SmallRecipe deep("deep"), rezero("rezero");
  const json d = run_json({"propagate", "--recipe", deep.path(), "--inputs", "gaussian", "--seeds", "3", "--png",
                           deep.file("p.png"), "--svg", deep.file("p.svg")});
  REQUIRE(d["layers"].size() == 7);
  CHECK(d["layers"][0]["layer"] == 0);
  CHECK(d["layers"][0]["apjn"] == 1.0);
  CHECK(d["layers"][0]["branch_ratio"].is_null());
  for (const json& layer : d["layers"]) {
    CHECK(layer["q"].get<double>() / layer["q_theory"].get<double>() == doctest::Approx(1).epsilon(0.5));
    CHECK(layer["q_se"].is_number());
    CHECK(layer["c_theory"].is_number());
  }
  CHECK(contents(deep.file("p.png")).starts_with("\x89PNG"));
  CHECK(mentions(contents(deep.file("p.svg")),
                 {">mean and standard error over draws<", ">mean field<", ">q = |x_l|^2 / width<",
                  ">c, cosine between inputs<", ">gradient norm |dC/dx_l|<"}));
  const json r = run_json({"propagate", "--recipe", rezero.path(), "--inputs", "gaussian"});
  for (const json& layer : r["layers"]) {
    CHECK(layer["apjn"] == 1.0);
    CHECK(layer["gradient_norm"].get<double>() == doctest::Approx(1));
    CHECK(layer["q"] == r["layers"][0]["q"]);
    CHECK(layer["q_theory"].get<double>() == doctest::Approx(r["layers"][0]["q"].get<double>()));
  }
}

TEST_CASE("propagate: hidden states of zeros have no c, and the text says so") {
  const SmallRecipe deep("deep");
  const Arguments narrow =
      Arguments{"propagate"} + deep.arguments() + Arguments{"--seeds", "30",
                                                            "--set",   "model.activation=relu",
                                                            "--set",   "model.width=3",
                                                            "--set",   "model.branch=activation_last"};
  const std::string note = "no c (-) where the hidden state";
  CHECK(mentions(run_command(narrow).out, {note}));
  CHECK(run_command(Arguments{"propagate"} + deep.arguments()).out.find(note) == std::string::npos);
  CHECK(run_command(Arguments{"propagate"} + deep.arguments() + Arguments{"--samples", "1"}).out.find(note) ==
        std::string::npos);
}

TEST_CASE("watch: the checkpoints of a run as a series; runs without them say how to make them") {
  const TemporaryFolder runs;
  const std::string run = runs.path() + "/run";
  REQUIRE(run_command(small_training(run, {"--set", "checkpoint.every=20", "--set", "checkpoint.keep=\"all\""}))
              .exit_code == 0);
  const json w = run_json({"watch", run, "--samples", "2"});
  REQUIRE(w["series"].size() >= 2);
  CHECK(w["series"][0]["step"] == 0);
  CHECK(w["series"][0]["gates"].size() == w["series"][0]["gradient_norms"].size() - 1);
  CHECK(w["series"][0]["verdict"][0]["code"] == "isometric");
  const json all = run_json({"spectrum", run, "--checkpoint", "all", "--samples", "2"});
  CHECK(all["series"].size() == w["series"].size());
  CHECK(all["series"][1]["theory"].is_null());
  const TemporaryFolder folder;
  check_refused({"watch", folder.path()}, 1, {folder.path()});
  check_refused({"watch"}, 2, {"watch", "no run"});
}

TEST_CASE("watch: the gates of every logged step as a map, without checkpoints") {
  const TemporaryFolder runs;
  const std::string run = runs / "run", deep = runs / "deep", svg = runs / "gates.svg";
  REQUIRE(run_command(small_training(run, {"--set", "train.steps=8"})).exit_code == 0);
  const CommandResult drawn = run_command({"watch", run, "--gates", svg});
  CHECK(drawn.exit_code == 0);
  CHECK(mentions(drawn.out, {"residual weights over training", "mean |a|", "largest a", "8 ", "written: ", svg}));
  CHECK(mentions(contents(svg), {"run: |a|", ">step<"}));
  CHECK(run_command({"watch", run, "--gates", runs / "gates.png"}).exit_code == 0);
  check_refused({"watch", run, "--gates", "g.txt"}, 2, {"--gates", "g.txt", ".svg"});
  check_refused({"watch", run, "--gates", svg, "--json"}, 2, {"--gates", "alone"});
  REQUIRE(run_command(small_training(deep, {"--set", "model.form=deep", "--set", "train.steps=4"})).exit_code == 0);
  check_refused({"watch", deep, "--gates", svg}, 1, {"metrics.jsonl", "0 logged steps", "gates"});
  const std::string metrics = run + "/metrics.jsonl", lines = contents(metrics);
  write_file(metrics, lines + lines);  // steps that do not ascend
  check_refused({"watch", run, "--gates", svg}, 1, {metrics, "step 1", "does not follow"});
}

TEST_CASE("spectrum: bad input is refused in one line") {
  const SmallRecipe recipe("deep");
  const Arguments base = Arguments{"spectrum"} + recipe.arguments();
  check_refused(base + Arguments{"--to", "7"}, 2, {"7", "0 to 6"});
  check_refused(base + Arguments{"--from", "3", "--to", "3"}, 2, {"3 to 3"});
  check_refused(base + Arguments{"--from", "6"}, 2, {"--from", "6 to 6"});
  check_refused(base + Arguments{"--from", "4", "--to", "2"}, 2, {"--from", "4 to 2"});
  check_refused(base + Arguments{"--from", "-1"}, 2, {"--from", "-1"});
  check_refused(base + Arguments{"--of", "network", "--from", "1"}, 2, {"--from", "stack"});
  check_refused(base + Arguments{"--of", "network", "--to", "1"}, 2, {"--to", "stack"});
  check_refused(base + Arguments{"--memory", "1KB"}, 1, {"--memory", "1KB", "least that would do", "KB"});
  check_refused(base + Arguments{"--method", "moments", "--memory", "1KB"}, 1, {"--memory", "least", "KB"});
  check_refused(base + Arguments{"--set", "model.activation=leaky_relu", "--set", "model.sigma_w=1e60"}, 1,
                {"hidden state", "not finite"});
  check_refused(base + Arguments{"--csv", recipe.file("a"), "--png", recipe.file("a")}, 2, {"two files"});
  check_refused(base + Arguments{"--gates", "0.1"}, 2, {"gate"});
  check_refused(base + Arguments{"--gates", "0.1", "--depths", "2"}, 2, {"--depths", "--gates"});
  check_refused(base + Arguments{"--top", "3"}, 2, {"--top", "lanczos"});
  check_refused(base + Arguments{"--picture", "fan"}, 2, {"--picture", "--png"});
  check_refused({"spectrum"}, 2, {"network"});
  const SmallRecipe scalars("residual_scalars");
  check_refused(Arguments{"spectrum"} + scalars.arguments() + Arguments{"--method", "product"}, 2,
                {"--method", "looks back"});
  check_refused(Arguments{"spectrum"} + scalars.arguments() + Arguments{"--from", "1"}, 2, {"looks back"});
  check_refused(Arguments{"propagate"} + scalars.arguments(), 2, {"propagate", "looks back"});
  check_refused(base + Arguments{"--depths", "16,8", "--to", "12"}, 2, {"--to", "depth 8", "12", "0 to 8"});
  check_refused(base + Arguments{"--depths", "4,2", "--from", "2"}, 2, {"--from", "depth 2"});
  check_refused(base + Arguments{"--gates", "1,,2"}, 2, {"--gates", "'1,,2'", "empty item", "A,B"});
  check_refused(base + Arguments{"--depths", "2,"}, 2, {"--depths", "'2,'", "empty item"});
  check_refused(base + Arguments{"--depths", ""}, 2, {"--depths", "empty item"});
  check_refused(base + Arguments{"--depths", "2,2.5"}, 2, {"--depths", "'2.5' is no whole number"});
  check_refused(base + Arguments{"--gates", "0.1,x"}, 2, {"--gates", "'x' is no number"});
  check_refused(base + Arguments{"--depths", "99999999999999999999"}, 2,
                {"--depths", "99999999999999999999 is beyond the range"});
  check_refused(base + Arguments{"--seeds", "99999999999999999999"}, 2, {"--seeds", "99999999999999999999", "range"});
}

TEST_CASE("outputs: - is standard output, which takes one result") {
  const SmallRecipe recipe("deep");
  const TemporaryFolder folder;
  const Arguments base = Arguments{"propagate"} + recipe.arguments() + Arguments{"--seeds", "2"};
  for (const std::string kind : {"csv", "npz", "svg", "png"}) {
    CAPTURE(kind);
    const std::string file = recipe.file("p." + kind);
    REQUIRE(run_command(base + Arguments{"--" + kind, file}).exit_code == 0);
    const CommandResult streamed = run_command(base + Arguments{"--" + kind, "-"}, {.folder = folder.path()});
    CHECK(streamed.exit_code == 0);
    CHECK(streamed.out == contents(file));
    check_refused(base + Arguments{"--" + kind, "-", "--json"}, 2, {"standard output", "one result"});
  }
  CHECK(folder.names().empty());
  check_refused(base + Arguments{"--csv", "-", "--png", "-"}, 2, {"standard output", "one result"});
  check_refused(base + Arguments{"--csv", recipe.file("a"), "--png", recipe.file("a")}, 2, {"two files"});
  CHECK(mentions(run_command({"propagate", "--help"}).out, {"--csv", "FILE|-"}));
}
