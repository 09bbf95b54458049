// What a sweep came to: a row per run, and the best of each value of the first grid.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "data/csv.h"
#include "data/file.h"
#include "tools/rezero/history.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/sweep.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

constexpr const char* status_names[] = {"missing", "complete", "diverged", "failed"};
constexpr const char* measure_names[] = {"validation accuracy", "validation loss", "training loss",
                                         "steps to the loss"};

double value_of(const SweepResult& r, SweepMeasure measure) {
  switch (measure) {
    case SweepMeasure::validation_accuracy:
      return r.validation_accuracy;
    case SweepMeasure::validation_loss:
      return r.validation_loss;
    case SweepMeasure::train_loss:
      return r.train_loss;
    case SweepMeasure::steps_to_loss:
      return r.steps_to_loss ? static_cast<double>(*r.steps_to_loss) : nan;
  }
  return nan;
}

// Runs that differ in the seed alone.
struct Cell {
  std::vector<std::string> values;
  int runs = 0, measured = 0;  // of these, with a value
  double mean = nan, deviation = nan;
};

std::vector<Cell> cells_of(const SweepPlan& plan, std::span<const SweepResult> results, SweepMeasure measure) {
  std::vector<Cell> cells;
  std::vector<std::vector<double>> values;
  for (std::size_t k = 0; k < plan.runs.size(); ++k) {
    if (cells.empty() || cells.back().values != plan.runs[k].values) {
      cells.push_back({plan.runs[k].values});
      values.emplace_back();
    }
    ++cells.back().runs;
    const double value = value_of(results[k], measure);
    if (std::isfinite(value)) values.back().push_back(value);
  }
  for (std::size_t c = 0; c < cells.size(); ++c) {
    const std::vector<double>& v = values[c];
    cells[c].measured = static_cast<int>(v.size());
    if (v.empty()) continue;
    double sum = 0, squares = 0;
    for (const double x : v) sum += x;
    cells[c].mean = sum / static_cast<double>(v.size());
    for (const double x : v) squares += (x - cells[c].mean) * (x - cells[c].mean);
    if (v.size() > 1) cells[c].deviation = std::sqrt(squares / static_cast<double>(v.size() - 1));
  }
  return cells;
}

// More seeds that got there come first, then the mean.
bool better(const Cell& a, const Cell& b, SweepMeasure measure) {
  if (a.measured != b.measured) return a.measured > b.measured;
  return measure == SweepMeasure::validation_accuracy ? a.mean > b.mean : a.mean < b.mean;
}

// The best cell for each value of the first grid, in its order.
std::vector<Cell> best_cells(const SweepPlan& plan, std::span<const SweepResult> results, SweepMeasure measure) {
  std::vector<Cell> best;
  for (const Cell& cell : cells_of(plan, results, measure)) {
    const bool same = !best.empty() && !cell.values.empty() && best.back().values[0] == cell.values[0];
    if (!same)
      best.push_back(cell);
    else if (better(cell, best.back(), measure))
      best.back() = cell;
  }
  return best;
}

std::string number_or_dash(double value) { return std::isfinite(value) ? fmt::format("{:.5g}", value) : "-"; }

}  // namespace

std::vector<SweepResult> sweep_results(const SweepPlan& plan, const std::string& folder, std::optional<double> loss) {
  std::vector<SweepResult> results;
  for (const SweepRun& run : plan.runs) {
    SweepResult r;
    r.train_loss = r.validation_loss = r.validation_accuracy = r.best_accuracy = nan;
    const std::string path = folder + "/" + run.folder;
    if (std::filesystem::exists(path + ".done")) {
      const std::string outcome = read_file(path + ".done");
      r.status = outcome.starts_with("complete")   ? SweepResult::complete
                 : outcome.starts_with("diverged") ? SweepResult::diverged
                                                   : SweepResult::failed;
      if (r.status != SweepResult::complete) r.reason = outcome.substr(0, outcome.find('\n'));
    }
    if (std::filesystem::exists(path + "/metrics.jsonl")) {
      const std::string runs[] = {path};
      const History history = load_histories(runs)[0];
      r.steps = history.steps;
      r.seconds = history.seconds;
      if (!history.epochs.empty() && r.status == SweepResult::complete) {
        r.train_loss = history.epochs.back().train_loss;
        r.validation_loss = history.epochs.back().validation_loss.value_or(nan);
        r.validation_accuracy = history.epochs.back().validation_accuracy.value_or(nan);
      }
      for (const Metrics& epoch : history.epochs)
        r.best_accuracy = std::fmax(r.best_accuracy, epoch.validation_accuracy.value_or(nan));
      if (const auto point = loss ? reached(history, *loss) : std::nullopt) r.steps_to_loss = point->step;
    }
    results.push_back(r);
  }
  return results;
}

std::string sweep_csv(const SweepPlan& plan, std::span<const SweepResult> results) {
  std::string out;
  const auto cell = [&](std::string_view text, char end = ',') { out += csv_cell(text) + end; };
  for (const Grid& grid : plan.grids) cell(grid.key);
  for (const char* name : {"seed", "status", "steps", "seconds", "train_loss", "validation_loss", "validation_accuracy",
                           "best_validation_accuracy", "steps_to_loss", "folder"})
    cell(name, name == std::string_view("folder") ? '\n' : ',');
  const auto value = [&](double v) { cell(std::isfinite(v) ? fmt::format("{}", v) : ""); };
  for (std::size_t k = 0; k < plan.runs.size(); ++k) {
    const SweepResult& r = results[k];
    for (const std::string& text : plan.runs[k].values) cell(text);
    cell(std::to_string(plan.runs[k].seed));
    cell(status_names[r.status]);
    cell(std::to_string(r.steps));
    for (const double v : {r.seconds, r.train_loss, r.validation_loss, r.validation_accuracy, r.best_accuracy})
      value(v);
    cell(r.steps_to_loss ? std::to_string(*r.steps_to_loss) : "");
    cell(plan.runs[k].folder, '\n');
  }
  return out;
}

std::string sweep_text(const SweepPlan& plan, std::span<const SweepResult> results, SweepMeasure measure) {
  std::vector<std::vector<std::string>> rows{{}};
  for (const Grid& grid : plan.grids) rows[0].push_back(grid.key);
  for (const char* name : {"mean", "deviation", "seeds"}) rows[0].emplace_back(name);
  for (const Cell& cell : best_cells(plan, results, measure)) {
    rows.push_back(cell.values);
    rows.back().push_back(number_or_dash(cell.mean));
    rows.back().push_back(number_or_dash(cell.deviation));
    rows.back().push_back(cell.measured == cell.runs ? std::to_string(cell.runs)
                                                     : fmt::format("{} of {}", cell.measured, cell.runs));
  }
  const std::string what = measure_names[static_cast<int>(measure)];
  const std::string head =
      plan.grids.size() > 1
          ? fmt::format("Best by {} for each {} (mean and deviation over seeds)\n", what, plan.grids[0].key)
          : fmt::format("By {} (mean and deviation over seeds)\n", what);
  return head + table_text(rows, std::string(plan.grids.size(), 'l') + "rrr");
}

std::string sweep_json(const SweepPlan& plan, std::span<const SweepResult> results, SweepMeasure measure) {
  using Json = nlohmann::ordered_json;  // writes null for NaN
  Json best = Json::array();
  for (const Cell& cell : best_cells(plan, results, measure)) {
    Json values = Json::object();
    for (std::size_t k = 0; k < cell.values.size(); ++k) values[plan.grids[k].key] = cell.values[k];
    best.push_back({{"values", values},
                    {"mean", cell.mean},
                    {"deviation", cell.deviation},
                    {"seeds", cell.runs},
                    {"seeds_measured", cell.measured}});
  }
  const auto complete = std::ranges::count(results, SweepResult::complete, &SweepResult::status);
  return Json{{"measure", measure_names[static_cast<int>(measure)]},
              {"runs", results.size()},
              {"complete", complete},
              {"best", best}}
             .dump() +
         "\n";
}

}  // namespace rz::tool
