// rezero theory: the real binary against the reference numbers, and what it says to bad input.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/npy.h"
#include "support/close.h"
#include "support/command.h"
#include "support/reference.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

json theory(Arguments arguments) {
  arguments.insert(arguments.begin(), "theory");
  arguments.emplace_back("--json");
  const CommandResult result = run_command(arguments);
  REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  CHECK(result.error.empty());
  return json::parse(result.out);
}

void check_bad(Arguments arguments, const std::vector<std::string>& parts) {
  arguments.insert(arguments.begin(), "theory");
  check_refused(arguments, 2, parts);
}

std::string exact_root(const json& square) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", std::sqrt(number(square)));
  return text;
}

std::string activation_of(const std::string& name) {
  if (name == "linear") return "identity";
  return name == "hardtanh" ? "hard_tanh" : name;
}

}  // namespace

TEST_CASE("theory: fixed points and depth scales are golden's") {
  int entries = 0;
  for (const json& e : reference("golden.json")) {
    if (e["quantity"] != "q*" || e["inputs"]["act"] != "tanh") continue;
    ++entries;
    const json field =
        theory({"--activation", activation_of(e["inputs"]["act"]), "--sigma-w", exact_root(e["inputs"]["sw2"]),
                "--sigma-b", exact_root(e["inputs"]["sb2"])})["mean_field"];
    CHECK(field["q_star"].get<double>() == doctest::Approx(number(e["value"])).epsilon(1e-12));
    CHECK(field["phase"] == (field["chi_1"].get<double>() < 1 ? "ordered" : "chaotic"));
  }
  CHECK(entries > 5);
}

TEST_CASE("theory: edges of residual nets are golden's, by gate and by t") {
  int entries = 0;
  for (const json& e : reference("golden.json")) {
    if (e["quantity"] != "residual x+aWx edges (N=inf)" || !e["inputs"]["L"].is_number() || e["inputs"]["L"] != 16)
      continue;
    ++entries;
    const double largest = std::sqrt(number(e["value"]["lambda_max"]));
    for (const Arguments& gate : {Arguments{"--gate", exact_root(e["inputs"]["alpha2"])},
                                  Arguments{"--t", e["inputs"]["t"].get<std::string>()}}) {
      Arguments all{"--activation", "identity", "--form", "rezero", "--depth", "16"};
      all.insert(all.end(), gate.begin(), gate.end());
      const json spectrum = theory(all)["spectrum"];
      CHECK(spectrum["s_max"].get<double>() == doctest::Approx(largest).epsilon(1e-10));
      CHECK(spectrum["mean"].get<double>() == doctest::Approx(number(e["value"]["mean"])).epsilon(1e-12));
    }
  }
  CHECK(entries > 3);
}

TEST_CASE("theory: critical and half-stable points") {
  const json critical = theory({"--activation", "tanh", "--sigma-b", "0.1", "--critical"});
  CHECK(critical["sigma_w"].get<double>() == doctest::Approx(std::sqrt(1.424205290489)).epsilon(1e-11));
  CHECK(critical["mean_field"]["phase"] == "critical");
  CHECK(critical["mean_field"]["xi_c"].is_null());  // infinite
  const json other = theory({"--activation", "tanh", "--sigma-w", exact_root(json(2.0)), "--critical"});
  CHECK(other["sigma_b"].get<double>() == doctest::Approx(std::sqrt(0.103779805213)).epsilon(1e-10));
  const json half = theory({"--activation", "gelu", "--half-stable"});
  CHECK(half["sigma_w"].get<double>() == doctest::Approx(std::sqrt(1.98305825744)).epsilon(1e-10));
  CHECK(half["sigma_b"].get<double>() == doctest::Approx(std::sqrt(0.172922390756)).epsilon(1e-10));
  CHECK(half["mean_field"]["q_star"].get<double>() == doctest::Approx(3.56155281281).epsilon(1e-10));
  CHECK(half["mean_field"]["v_prime"].get<double>() == doctest::Approx(1).epsilon(1e-10));
}

TEST_CASE("theory: limits, atoms, densities, finite widths and paths") {
  const json universal = theory({"--universal", "bernoulli", "--variance", "0.25"})["spectrum"];
  REQUIRE(universal["atoms"].size() == 1);
  CHECK(universal["atoms"][0]["mass"].get<double>() == doctest::Approx(0.75));
  CHECK(universal["atoms"][0]["lambda"].get<double>() == doctest::Approx(std::exp(0.25)));
  const json limit = theory({"--t", "0.5", "--points", "50"});
  CHECK(limit["activation"].is_null());
  CHECK(limit["mean_field"].is_null());
  CHECK(limit["spectrum"]["s_max"].get<double>() == doctest::Approx(2.829864468261199).epsilon(1e-12));
  CHECK(limit["spectrum"]["density"]["lambda"].size() == 50);
  const json at = theory({"--activation", "identity", "--depth", "1", "--lambda", "5,2,0.5"})["spectrum"]["density"];
  CHECK(at["lambda"] == json({5.0, 2.0, 0.5}));
  CHECK(at["rho"][0] == 0.0);
  CHECK(at["rho"][1].get<double>() == doctest::Approx(std::sqrt(2.0 * 2) / (4 * std::acos(-1.0))));  // Marchenko-Pastur
  const json relu =
      theory({"--activation", "relu", "--sigma-w", exact_root(json(2.0)), "--depth", "10", "--width", "64"});
  CHECK(relu["mean_field"]["q_star"].is_null());
  CHECK(relu["finite_width"]["expected_rank"].get<double>() == doctest::Approx(64 * 0.404136718609).epsilon(1e-9));
  CHECK(relu["finite_width"]["fourth_moment_ratio"].get<double>() == doctest::Approx(std::pow(1 + 5.0 / 64, 10)));
  const json path = theory({"--activation", "relu", "--sigma-w", exact_root(json(2.0)), "--q0", "1", "--c0", "0",
                            "--depth", "10"})["trajectory"];
  CHECK(path["q"].size() == 11);
  CHECK(path["c"][10].get<double>() == doctest::Approx(0.87153551602151762).epsilon(1e-12));
  const json outlier = theory({"--activation", "relu", "--sigma-w", exact_root(json(2.0)), "--form", "rezero",
                               "--depth", "64", "--t", "0.5"})["spectrum"];
  REQUIRE(outlier["outliers"].size() == 1);
  CHECK(outlier["outliers"][0].get<double>() == doctest::Approx(21.9).epsilon(0.01));
  const json first = theory({"--activation", "relu", "--sigma-w", exact_root(json(2.0)), "--form", "rezero", "--depth",
                             "64", "--t", "0.5", "--branch", "activation_first"})["spectrum"];
  CHECK(first["variance_over_mean2"].get<double>() == doctest::Approx(1.15123).epsilon(1e-5));
}

TEST_CASE("theory phase: both ends, rows by sigma_b, files") {
  const TemporaryFolder folder;
  const std::string csv = folder.path() + "/p.csv", npz = folder.path() + "/p.npz", png = folder.path() + "/p.png";
  const json d = theory({"phase", "--activation", "tanh", "--sigma-w", "0.5:2", "--sigma-b", "0:0.5", "--grid", "7x3",
                         "--csv", csv, "--npz", npz, "--png", png, "--here", "1.2,0.1"});
  CHECK(d["sigma_w"].size() == 7);
  CHECK(d["sigma_w"][6] == 2.0);
  CHECK(d["sigma_b"] == json({0.0, 0.25, 0.5}));
  REQUIRE(d["chi_1"].size() == 3);
  CHECK(d["chi_1"][0].size() == 7);
  const json one = theory({"--activation", "tanh", "--sigma-w", "1.5", "--sigma-b", "0.25"})["mean_field"];
  CHECK(d["chi_1"][1][4].get<double>() == doctest::Approx(one["chi_1"].get<double>()).epsilon(1e-6));
  CHECK(d["c_star"][1][4].get<double>() == doctest::Approx(one["c_star"].get<double>()).epsilon(1e-5));
  CHECK(d["critical_line"].size() > 2);
  CHECK(contents(csv).starts_with("sigma_w,sigma_b,q_star"));
  CHECK(contents(png).starts_with("\x89PNG"));
  CHECK(!contents(npz).empty());
}

TEST_CASE("theory: the picture has the depth, atoms, values that were asked for, and the path of two inputs") {
  const TemporaryFolder folder;
  const auto picture_of = [&](Arguments arguments, const Arguments& more = {}) {
    const std::string file = folder.path() + "/p.svg";
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.insert(arguments.end(), {"--svg", file});
    theory(arguments);
    return contents(file);
  };
  const Arguments relu{"--activation", "relu", "--sigma-w", "1.4142", "--depth", "3", "--weights", "orthogonal"};
  const std::string atoms = picture_of(relu);
  CHECK(mentions(atoms, {">relu, depth 3, sigma_w", ">density<", ">log10 of the singular values, of which"}));
  CHECK(atoms.find(">asked for<") == atoms.npos);
  CHECK(mentions(picture_of(relu, {"--lambda", "1"}), {">density<", ">asked for<"}));
  const std::string path = picture_of(
      {"--activation", "tanh", "--sigma-w", "1.2", "--sigma-b", "0.1", "--depth", "20", "--q0", "2", "--c0", "0.5"});
  CHECK(mentions(path, {">fixed point<", ">path of the two inputs<", ">Jacobian<", ">c, cosine between the inputs<"}));
}

TEST_CASE("theory phase: relu is critical at one point, which the picture shows") {
  const TemporaryFolder folder;
  const std::string svg = folder.path() + "/p.svg";
  const Arguments relu{"phase",     "--activation", "relu",   "--sigma-w", "0.5:2.5",
                       "--sigma-b", "0:0.5",        "--grid", "11x11"};
  theory(relu + Arguments{"--svg", svg});
  CHECK(mentions(contents(svg), {">the only critical point<", ">chi_1<", "; hatched: not finite<", ">layers<"}));
  CHECK(run_command(Arguments{"theory"} + relu).out.find("nan") == std::string::npos);
  const Arguments tanh{"phase", "--activation", "tanh", "--sigma-w", "0.5:1.5", "--grid", "3x2", "--sigma-b"};
  CHECK(mentions(run_command(Arguments{"theory"} + tanh + Arguments{"0:0.5"}).out,
                 {"4 ordered", "1 chaotic", "(gradients explode), 1 critical\n"}));
  theory(tanh + Arguments{"0.1:0.5", "--svg", svg});
  CHECK(contents(svg).find("hatched") == std::string::npos);
}

TEST_CASE("theory recommend: the limits are reached, not crossed") {
  const json deep = theory(
      {"recommend", "--activation", "tanh", "--depth", "50", "--weights", "orthogonal", "--max-variance", "0.5"});
  CHECK(deep["gate"].is_null());
  CHECK(deep["spectrum"]["variance_over_mean2"].get<double>() == doctest::Approx(0.5).epsilon(1e-6));
  const json gate = theory(
      {"recommend", "--activation", "identity", "--depth", "64", "--form", "rezero", "--singular-values", "0.5:2"});
  CHECK(gate["spectrum"]["s_min"].get<double>() >= 0.5 - 1e-9);
  CHECK(gate["spectrum"]["s_max"].get<double>() <= 2 + 1e-9);
  CHECK(gate["gate"].get<double>() > 0.03);
}

TEST_CASE("theory: the text of a residual network says the order of its branches and what its numbers stand for") {
  const auto text = [](const Arguments& more) {
    return run_command(Arguments{"theory", "--activation", "relu", "--form", "rezero", "--gate", "0.1"} + more).out;
  };
  const Arguments first{"--branch", "activation_first"};
  const std::string independent = text({"--depth", "8"}), correlated = text(first + Arguments{"--depth", "8"});
  CHECK(mentions(independent, {"x + a f(W x + b), a 0.1, relu", "mean field of the branches alone"}));
  CHECK(independent.find("independent masks") == independent.npos);
  CHECK(mentions(correlated, {"x + a (W f(x) + b), a 0.1, relu", "of independent masks"}));
  CHECK(text(first + Arguments{"--depth", "1"}).find("independent masks") == std::string::npos);
  CHECK(run_command({"theory", "--activation", "tanh"}).out.find("branches") == std::string::npos);
  CHECK(mentions(run_command({"theory", "recommend", "--activation", "relu", "--depth", "8", "--form", "rezero",
                              "--branch", "activation_first", "--singular-values", "0.5:2"})
                     .out,
                 {"of x + a (W f(x) + b)", "of independent masks"}));
}

TEST_CASE("theory: bad input is refused in one line") {
  check_bad({}, {"--activation", "none was given"});
  check_bad({"--activation", "tan"}, {"tanh"});
  check_bad({"--activation", "tanh", "--critical"}, {"--critical", "neither"});
  check_bad({"--activation", "tanh", "--critical", "--sigma-w", "1", "--sigma-b", "1"}, {"--critical", "both"});
  check_bad({"--activation", "relu", "--critical", "--sigma-b", "0.3"}, {"--critical", "relu has chi_1 = 1"});
  check_bad({"--activation", "tanh", "--half-stable"}, {"--half-stable", "tanh has no half-stable point"});
  check_bad({"--activation", "tanh", "--gate", "0.1"}, {"--gate", "rezero"});
  check_bad({"--activation", "tanh", "--depth", "3", "--points", "1"}, {"--points", "from 2 to 100000"});
  check_bad({"--activation", "tanh", "--sigma-w", "1e5"}, {"--sigma-w", "10000"});
  check_bad({"--universal", "smooth"}, {"--universal", "--variance"});
  check_bad({"--activation", "tanh", "--lambda", "1"}, {"--lambda", "--depth"});
  check_bad({"--activation", "tanh", "--depth", "3", "--q0", "1"}, {"--c0", "missing"});
  check_bad({"--activation", "tanh", "--depth", "3", "--width", "8"}, {"--width", "finite width", "tanh"});
  check_bad({"--activation", "gelu", "--sigma-w", "3", "--depth", "4"}, {"--depth", "gelu", "no fixed point"});
  check_bad({"phase", "--activation", "tanh", "--sigma-w", "2:1", "--sigma-b", "0:1"}, {"--sigma-w", "2 is above 1"});
  check_bad({"phase", "--activation", "tanh", "--sigma-w", "1:2", "--sigma-b", "0:1", "--grid", "9"},
            {"--grid", "WxH"});
  check_bad({"recommend", "--activation", "tanh", "--depth", "10", "--max-variance", "0.1"},
            {"--max-variance", "Gaussian", "the depth, 10", "--weights orthogonal"});
  check_bad({"recommend", "--activation", "tanh", "--depth", "10"}, {"one limit"});
  check_bad({"--activation", "identity", "--depth", "3", "--t", "1e-14", "--csv", "/dev/stdout"}, {"--csv", "narrow"});
  check_bad({"--activation", "tanh", "--sigma-w", "0", "--depth", "4"}, {"--sigma-w", "no spectrum"});
  check_bad({"--activation", "tanh", "--sigma-w", "0.9", "--critical"}, {"--critical", "off the critical line"});
}

TEST_CASE("theory phase: windows, grids and points are refused by their options") {
  const auto phase = [](const std::string& sigma_w, const std::string& grid, Arguments more,
                        const std::vector<std::string>& parts) {
    more.insert(more.begin(),
                {"phase", "--activation", "tanh", "--sigma-w", sigma_w, "--sigma-b", "0:1", "--grid", grid});
    check_bad(more, parts);
  };
  phase("0:20000", "9x9", {}, {"--sigma-w", "20000", "10000"});
  phase("1:1", "9x9", {}, {"--sigma-w", "1 to itself"});
  phase("1:2", "1x9", {}, {"--grid", "1 x 9", "2 x 2"});
  phase("1:2", "9x9", {"--here", "1.5,0.1"}, {"--here", "--svg", "--png"});
  const TemporaryFolder folder;
  phase("1:2", "9x9", {"--here", "3,0.1", "--svg", folder.path() + "/p.svg"},
        {"--here", "3,0.1", "outside of the window", "sigma_w 1 to 2", "sigma_b 0 to 1"});
}

TEST_CASE("theory: its own options before a subcommand are refused") {
  check_bad({"--depth", "3", "phase", "--activation", "tanh", "--sigma-w", "1:2", "--sigma-b", "0:1"},
            {"--depth", "stands before phase", "theory phase --help"});
  check_bad({"--activation", "tanh", "recommend", "--depth", "10", "--max-variance", "100"},
            {"--activation", "stands before recommend"});
  check_refused({"bench", "--json", "fc"}, 2, {"--json", "stands before fc", "rezero bench fc"});
  check_bad({"--json", "recommend", "--activation", "tanh", "--depth", "10", "--max-variance", "100"}, {"--json"});
}

TEST_CASE("theory recommend: says which limit fails where the critical line begins, and what may do") {
  const auto refused = [](const std::string& activation, Arguments limit, const std::vector<std::string>& parts) {
    limit.insert(limit.begin(), {"recommend", "--activation", activation, "--depth", "64", "--weights", "orthogonal"});
    check_bad(limit, parts);
  };
  refused("tanh", {"--singular-values", "0.5:2"},
          {"--singular-values", "smallest singular value is 0", "slope", "--max-variance"});
  refused("relu", {"--max-variance", "1"}, {"--max-variance", "relu", "64", "the mean squared is 64", "fewer layers"});
  refused("leaky_relu", {"--singular-values", "1e-200:2"}, {"--singular-values", "largest singular value is"});
  refused("tanh", {"--singular-values", "1:1"}, {"--singular-values", "from 1 to 1"});
  check_bad({"recommend", "--activation", "tanh", "--depth", "8", "--form", "rezero", "--singular-values", "2:3"},
            {"--singular-values", "gate 0 are 1"});
  check_bad({"recommend", "--activation", "tanh", "--depth", "8", "--form", "rezero", "--sigma-w", "0",
             "--max-variance", "1"},
            {"--sigma-w", "identity"});
}

TEST_CASE("theory recommend: critical lines that begin elsewhere than at 0, and gates along the lengths [slow]") {
  const json sigmoid = theory(
      {"recommend", "--activation", "sigmoid", "--depth", "4", "--weights", "orthogonal", "--max-variance", "20"});
  CHECK(sigmoid["sigma_w"].get<double>() > 10.15);
  CHECK(sigmoid["spectrum"]["variance_over_mean2"].get<double>() == doctest::Approx(20).epsilon(1e-6));
  const Arguments gelu{"recommend", "--activation", "gelu",       "--depth",
                       "4",         "--weights",    "orthogonal", "--max-variance"};
  check_bad(gelu + Arguments{"3.5"}, {"no point of the critical line of gelu", "4 layers", "4.23"});
  check_bad(gelu + Arguments{"4.1"},
            {"the largest looked at", "gelu, keeps this"});  // its variance falls along the line
  for (const std::string sigma_w : {"0.5", "2"}) {
    const json gate = theory({"recommend", "--activation", "tanh", "--depth", "32", "--form", "rezero", "--sigma-w",
                              sigma_w, "--max-variance", "0.7"});
    CHECK(gate["spectrum"]["variance_over_mean2"].get<double>() == doctest::Approx(0.7).epsilon(1e-6));
  }
}
