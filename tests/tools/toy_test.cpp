// The one-neuron experiment: numbers against closed forms, and what the command writes.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "support/close.h"
#include "support/command.h"
#include "support/temporary_folder.h"
#include "tools/isometry/one_neuron.h"

using namespace rz;
using namespace rz::test;

TEST_CASE("toy: cost and gradient are those of the closed form") {
  double mean_square = 0;  // of x_0
  for (int i = 0; i < 9; ++i) mean_square += (1 + 0.1 * i) * (1 + 0.1 * i) / 9;
  for (const auto& [w, a] : {std::pair{0.7, 0.3}, {-1.2, 0.9}, {1.1, 0.0}, {0.0, -0.4}}) {
    const isometry::CostPoint p = isometry::cost_at({}, w, a);
    const double gap = std::pow(1 + a * w, 5) - 50, slope = 2 * gap * 5 * std::pow(1 + a * w, 4) * mean_square;
    CHECK(close(p.cost, gap * gap * mean_square, 1e-13));
    CHECK(close(p.d_w, slope * a, 1e-13));
    CHECK(close(p.d_a, slope * w, 1e-13));
  }
}

TEST_CASE("toy: descents from a = 0 reach (1 + a w)^5 = 50") {
  for (const double w : {-0.8, 0.4, 1.6}) {
    const auto path = isometry::descend({}, w, 0, 1e-6, 20000);
    CHECK(path.front().a == 0);
    CHECK(path.back().cost <= 1e-10);
    CHECK(close(std::pow(1 + path.back().a * path.back().w, 5), 50, 1e-6));
  }
  CHECK(isometry::descend({}, 1.6, 0, 1, 100).size() < 10);  // leaps to infinity, and stops before it
}

TEST_CASE("toy: the command writes pictures and numbers") {
  const TemporaryFolder folder;
  const CommandResult result = run_command({"toy", "--out", folder / "toy", "--json"});
  CHECK(result.exit_code == 0);
  CHECK(nlohmann::json::parse(result.out)["paths"].size() == 5);
  CHECK(mentions(contents(folder / "toy/toy.svg"), {"<svg", "One neuron", "</svg>"}));
  CHECK(contents(folder / "toy/toy.png").substr(1, 3) == "PNG");
  CHECK(contents(folder / "toy/toy-grid.csv").starts_with("w,a,cost,d_w,d_a,gradient_norm\n-2,-2,"));
  CHECK(contents(folder / "toy/toy-paths.csv").starts_with("path,step,w,a,cost,gradient_norm\n0,0,-1.6,0,"));
  write_file(folder / "file", "");
  const CommandResult bad = run_command({"toy", "--out", folder / "file"});
  CHECK(bad.exit_code == 1);
  CHECK(one_line_error(bad));
}
