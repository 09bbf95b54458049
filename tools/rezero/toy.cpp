// rezero toy: the paper's one-neuron experiment as pictures and numbers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "data/csv.h"
#include "data/file.h"
#include "tools/isometry/one_neuron.h"
#include "tools/report/chart.h"
#include "tools/rezero/command.h"
#include "tools/rezero/source.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

constexpr double low = -2, high = 2;      // of w and of a
constexpr std::size_t grid_points = 101;  // along each
constexpr double starts[] = {-1.6, -0.8, 0.4, 0.9, 1.6};

struct ToyOptions {
  std::string out = "toy";
  std::int64_t layers = 5, steps = 20000;
  double rate = 1e-6;
  bool json = false;
};

struct Experiment {
  std::vector<isometry::CostPoint> grid;                // rows of a, columns of w
  std::vector<std::vector<isometry::CostPoint>> paths;  // one per start
};

double coordinate(std::size_t i) { return low + (high - low) * static_cast<double>(i) / (grid_points - 1); }

Experiment experiment(const ToyOptions& options) {
  const isometry::OneNeuron net{.layers = options.layers};
  Experiment e;
  for (std::size_t r = 0; r < grid_points; ++r)
    for (std::size_t c = 0; c < grid_points; ++c) e.grid.push_back(cost_at(net, coordinate(c), coordinate(r)));
  for (const double w : starts) e.paths.push_back(descend(net, w, 0, options.rate, options.steps));
  return e;
}

report::ContourMap map_of(const Experiment& e, std::int64_t layers) {
  report::ContourMap map;
  map.title = fmt::format("One neuron, {} layers: x_L = (1 + a w)^{} x_0, to become 50 x_0", layers, layers);
  map.x_label = "weight w";
  map.y_label = "residual weight a";
  map.x_low = map.y_low = low;
  map.x_high = map.y_high = high;
  map.columns = map.rows = grid_points;
  map.fields = {{"log10 of the cost, 1 and less as 0; descents from a = 0", {}},
                {"log10 of the gradient's norm, 1 and less as 0", {}}};
  // The valleys go down to 0 and are narrower than the grid: below 1 there is nothing to see but its points.
  for (const isometry::CostPoint& p : e.grid) {
    map.fields[0].values.push_back(std::log10(std::max(1.0, p.cost)));
    map.fields[1].values.push_back(std::log10(std::max(1.0, p.gradient_norm())));
  }
  for (const auto& path : e.paths) {
    report::Series line;
    for (const isometry::CostPoint& p : path) {
      line.x.push_back(p.w);
      line.y.push_back(p.a);
    }
    map.paths.push_back(std::move(line));
  }
  return map;
}

std::string grid_csv(const Experiment& e) {
  Csv csv({"w", "a", "cost", "d_w", "d_a", "gradient_norm"});
  for (const isometry::CostPoint& p : e.grid) csv.row({p.w, p.a, p.cost, p.d_w, p.d_a, p.gradient_norm()});
  return csv.text();
}

std::string paths_csv(const Experiment& e) {
  Csv csv({"path", "step", "w", "a", "cost", "gradient_norm"});
  for (std::size_t k = 0; k < e.paths.size(); ++k)
    for (std::size_t t = 0; t < e.paths[k].size(); ++t) {
      const isometry::CostPoint& p = e.paths[k][t];
      csv.row({static_cast<double>(k), static_cast<double>(t), p.w, p.a, p.cost, p.gradient_norm()});
    }
  return csv.text();
}

std::string text_of(const Experiment& e) {
  std::vector<std::vector<std::string>> rows{{"start w", "start a", "steps", "end w", "end a", "cost"}};
  for (const auto& path : e.paths)
    rows.push_back({fmt::format("{:g}", path.front().w), fmt::format("{:g}", path.front().a),
                    std::to_string(path.size() - 1), fmt::format("{:.4f}", path.back().w),
                    fmt::format("{:.4f}", path.back().a), fmt::format("{:.3g}", path.back().cost)});
  return "Gradient descent from a = 0\n" + table_text(rows, "rrrrrr");
}

std::string json_of(const Experiment& e) {
  nlohmann::ordered_json paths = nlohmann::ordered_json::array();
  for (const auto& path : e.paths)
    paths.push_back({{"start", {path.front().w, path.front().a}},
                     {"steps", path.size() - 1},
                     {"end", {path.back().w, path.back().a}},
                     {"cost", path.back().cost}});
  return nlohmann::ordered_json{{"paths", paths}}.dump() + "\n";
}

int run(const ToyOptions& options) {
  if (!(options.rate > 0) || !std::isfinite(options.rate))
    throw UsageError(fmt::format("--rate: is {:g}, but must be a number above 0", options.rate));
  std::error_code error;
  const std::string folder = absolute(options.out);
  std::filesystem::create_directories(folder, error);
  RZ_CHECK(file, !error, "{}: cannot be made a folder: {}", folder, error.message());
  const std::vector<std::string> files{folder + "/toy.svg", folder + "/toy.png", folder + "/toy-grid.csv",
                                       folder + "/toy-paths.csv"};
  for (const std::string& path : files) check_target(path);
  const Experiment e = experiment(options);
  const report::ContourMap map = map_of(e, options.layers);
  write_atomically(files[0], report::svg(map));
  write_atomically(files[1], report::png(map));
  write_atomically(files[2], grid_csv(e));
  write_atomically(files[3], paths_csv(e));
  print(options.json ? json_of(e) : text_of(e));
  for (const std::string& path : files)
    if (!options.json) print("written: " + path + "\n");
  return exit_success;
}

}  // namespace

Command make_toy(CLI::App& app) {
  const auto options = std::make_shared<ToyOptions>();
  CLI::App* const command =
      app.add_subcommand("toy", "The paper's one-neuron experiment: contours of the cost, and descents");
  command->footer(
      "x_L = (1 + a w)^L x_0 is to become 50 x_0 for x_0 = 1.0, 1.1, ..., 1.8. The left map shows the logarithm of "
      "the\n"
      "cost over (w, a) with gradient descent from a = 0, the right one that of the gradient's norm: around a = 1 the\n"
      "cost is badly conditioned, at a = 0 it is not.\n\n"
      "Example:\n"
      "  rezero toy --out toy");
  command->add_option("--out", options->out, "Folder for toy.svg, toy.png, toy-grid.csv, toy-paths.csv")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_option("--layers", options->layers, "Layers L")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  command->add_option("--rate", options->rate, "Learning rate of the descent")->type_name("X")->capture_default_str();
  command->add_option("--steps", options->steps, "Most steps of a descent")
      ->type_name("N")
      ->check(CLI::Range(0, 10000000).description(""))
      ->capture_default_str();
  add_json(*command, options->json);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
