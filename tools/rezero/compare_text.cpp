#include "tools/rezero/compare_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "data/csv.h"
#include "data/text.h"
#include "tools/rezero/notebook.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string loss_cell(double loss) {
  return std::isfinite(loss) ? fmt::format("{:.{}f}", loss, loss < 100 ? 3 : 1) : "-";
}

const Metrics* epoch_of(const History& run, std::int64_t epoch) {
  const auto line = std::ranges::find(run.epochs, epoch, &Metrics::epoch);
  return line == run.epochs.end() ? nullptr : &*line;
}

double notebook_of(const History& run, std::int64_t epoch) {
  const std::span<const double> losses = notebook_losses(run.recipe);
  return epoch <= std::ssize(losses) ? losses[static_cast<std::size_t>(epoch - 1)] : nan;
}

std::int64_t last_epoch(const Comparison& comparison) {
  std::int64_t last = 0;
  for (const History& run : comparison.runs)
    for (const Metrics& line : run.epochs) last = std::max(last, line.epoch);
  return last;
}

struct SpeedUp {
  double steps = nan, seconds = nan, of_steps = nan, of_seconds = nan;  // of_...: against the first run
};

SpeedUp speed_up(const Comparison& comparison, const History& run) {
  SpeedUp result;
  const auto mine = reached(run, comparison.loss), first = reached(comparison.runs.front(), comparison.loss);
  if (!mine) return result;
  result.steps = static_cast<double>(mine->step);
  result.seconds = mine->seconds;
  if (!first) return result;
  result.of_steps = static_cast<double>(first->step) / result.steps;
  result.of_seconds = first->seconds / result.seconds;
  return result;
}

std::string runs_table(const Comparison& comparison) {
  Rows rows{{"run", "form", "depth", "width", "steps", "seconds", "last loss", "best validation"}};
  for (const History& run : comparison.runs) {
    double best = -1;
    for (const Metrics& line : run.epochs) best = std::max(best, line.validation_accuracy.value_or(-1));
    rows.push_back({run.name, run.recipe.model.form, std::to_string(run.recipe.model.layer_count()),
                    std::to_string(run.recipe.model.layer_width()), grouped(static_cast<std::uint64_t>(run.steps)),
                    fmt::format("{:.1f}", run.seconds),
                    loss_cell(run.epochs.empty() ? nan : run.epochs.back().train_loss),
                    best < 0 ? "-" : fmt::format("{:.2f} %", 100 * best)});
  }
  return table_text(rows, "llrrrrrr");
}

std::string epochs_table(const Comparison& comparison) {
  constexpr std::int64_t most = 25;  // rows
  const std::int64_t last = last_epoch(comparison), apart = (last + most - 1) / most;
  Rows rows{{"epoch"}};
  std::string alignment = "r";
  for (const History& run : comparison.runs) {
    rows.front().push_back(run.name);
    if (!notebook_losses(run.recipe).empty()) rows.front().emplace_back("(notebook)");
  }
  alignment.append(rows.front().size() - 1, 'r');
  for (std::int64_t epoch = 1; epoch <= last; ++epoch) {
    if (epoch % apart != 0 && epoch != 1 && epoch != last) continue;
    rows.push_back({std::to_string(epoch)});
    for (const History& run : comparison.runs) {
      const Metrics* const line = epoch_of(run, epoch);
      rows.back().push_back(loss_cell(line ? line->train_loss : nan));
      if (notebook_losses(run.recipe).empty()) continue;
      const double theirs = notebook_of(run, epoch);
      rows.back().push_back(std::isnan(theirs) ? "" : fmt::format("({:.2f})", theirs));
    }
  }
  return last == 0 ? "no epoch has ended yet\n" : table_text(rows, alignment);
}

std::string speed_table(const Comparison& comparison) {
  Rows rows{{"run", "steps", "seconds", "speed-up in steps", "in seconds"}};
  const auto cell = [](double value, int digits, const char* unit) {
    return std::isfinite(value) ? fmt::format("{:.{}f}{}", value, digits, unit) : std::string("-");
  };
  for (const History& run : comparison.runs) {
    const SpeedUp s = speed_up(comparison, run);
    rows.push_back({run.name, std::isnan(s.steps) ? "not reached" : grouped(static_cast<std::uint64_t>(s.steps)),
                    cell(s.seconds, 1, ""), cell(s.of_steps, 2, "x"), cell(s.of_seconds, 2, "x")});
  }
  return table_text(rows, "lrrrr");
}

}  // namespace

std::string comparison_text(const Comparison& comparison) {
  std::string text = runs_table(comparison);
  text += "\nMean training loss by epoch (nats)\n" + epochs_table(comparison);
  if (std::isnan(comparison.loss)) return text + "\nThe first run has no finite training loss yet.\n";
  text += fmt::format("\nTo a training loss of {:.4g}{}, speed-up against {}\n", comparison.loss,
                      comparison.loss_is_chosen ? " (the lowest of the first run)" : "", comparison.runs.front().name);
  return text + speed_table(comparison);
}

std::string comparison_json(const Comparison& comparison) {
  using Json = nlohmann::ordered_json;  // writes null for NaN
  Json runs = Json::array();
  for (const History& run : comparison.runs) {
    Json epochs = Json::array();
    for (const Metrics& line : run.epochs) {
      epochs.push_back({{"epoch", line.epoch},
                        {"step", line.step},
                        {"train_loss", line.train_loss},
                        {"train_accuracy", line.train_accuracy},
                        {"validation_loss", line.validation_loss.value_or(nan)},
                        {"validation_accuracy", line.validation_accuracy.value_or(nan)},
                        {"seconds", line.seconds}});
      if (const double theirs = notebook_of(run, line.epoch); !std::isnan(theirs))
        epochs.back()["notebook_train_loss"] = theirs;
    }
    const SpeedUp s = speed_up(comparison, run);
    const Json steps = std::isnan(s.steps) ? Json() : Json(static_cast<std::int64_t>(s.steps));
    runs.push_back({{"name", run.name},
                    {"path", run.path},
                    {"form", run.recipe.model.form},
                    {"depth", run.recipe.model.layer_count()},
                    {"width", run.recipe.model.layer_width()},
                    {"steps", run.steps},
                    {"seconds", run.seconds},
                    {"epochs", std::move(epochs)},
                    {"steps_to_loss", steps},
                    {"seconds_to_loss", s.seconds},
                    {"speed_up_steps", s.of_steps},
                    {"speed_up_seconds", s.of_seconds}});
  }
  const Json json = {{"loss", comparison.loss}, {"runs", std::move(runs)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string comparison_csv(const Comparison& comparison) {
  std::vector<std::string> columns{"epoch"};
  for (const History& run : comparison.runs) {
    for (const char* what : {"train_loss", "validation_loss", "validation_accuracy"})
      columns.push_back(run.name + " " + what);
    if (!notebook_losses(run.recipe).empty()) columns.push_back(run.name + " notebook_train_loss");
  }
  Csv csv(columns);
  for (std::int64_t epoch = 1; epoch <= last_epoch(comparison); ++epoch) {
    std::vector<double> row{static_cast<double>(epoch)};
    for (const History& run : comparison.runs) {
      const Metrics* const line = epoch_of(run, epoch);
      row.push_back(line ? line->train_loss : nan);
      row.push_back(line ? line->validation_loss.value_or(nan) : nan);
      row.push_back(line ? line->validation_accuracy.value_or(nan) : nan);
      if (!notebook_losses(run.recipe).empty()) row.push_back(notebook_of(run, epoch));
    }
    csv.row(row);
  }
  return csv.text();
}

}  // namespace rz::tool
