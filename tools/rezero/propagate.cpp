// rezero propagate: forward and backward signal of a network by depth, measured, beside mean field.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/parallel.h"
#include "core/random.h"
#include "data/csv.h"
#include "tools/isometry/model_theory.h"
#include "tools/isometry/propagation.h"
#include "tools/report/chart.h"
#include "tools/rezero/command.h"
#include "tools/rezero/evenly_spaced.h"
#include "tools/rezero/network_inputs.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/outputs.h"
#include "tools/rezero/progress.h"
#include "tools/rezero/source.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/transformer_inputs.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;
using isometry::LayerStatistics;

struct PropagateOptions {
  SourceOptions source;
  InputOptions inputs;
  std::optional<std::int64_t> seeds;
  OutputOptions output;
};

// What theory says of the same layers; NaN where there is none.
struct Line {
  double q = nan, c = nan, gradient_norm = nan, apjn = nan;
};

struct Propagation {
  std::string name, weights, inputs, theory_reason;
  std::int64_t seeds = 1, samples = 1;
  std::vector<LayerStatistics> layers;  // from the first hidden state on
  std::vector<Line> theory;
};

bool draws(const PropagateOptions& o) { return o.source.run.empty() && o.source.weights.empty(); }

std::vector<Line> theory_lines(const isometry::RandomNet& net, const LayerStatistics& first) {
  const auto path = isometry::signal_theory(net, first.q.value, std::isnan(first.c.value) ? 0 : first.c.value);
  std::vector<Line> lines(path.size());
  double forward = 1, backward = 1;
  for (std::size_t l = 0; l < path.size(); ++l) {
    forward *= path[l].chi;
    lines[l] = {path[l].q, std::isnan(first.c.value) ? nan : path[l].c, nan, forward};
  }
  for (std::size_t l = path.size(); l-- > 0;) {
    lines[l].gradient_norm = std::sqrt(backward);
    backward *= path[l].chi;
  }
  return lines;
}

void add_theory(const PropagateOptions& options, const nn::Model& model, const Tensor& x, Propagation& p) {
  isometry::ModelTheory theory = isometry::model_theory(model, isometry::stack_part(model), x);
  if (theory.net && !initial_weights(options.source)) theory = {{}, trained_weights};
  p.theory.assign(p.layers.size(), {});
  try {
    if (theory.net) p.theory = theory_lines(*theory.net, p.layers[0]);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::value) throw;
    theory.reason = error.message();
  }
  p.theory_reason = theory.reason;
}

Propagation measure(const PropagateOptions& options) {
  Propagation p;
  p.seeds = options.seeds.value_or(draws(options) ? 10 : 1);
  std::vector<std::vector<std::vector<isometry::LayerSignal>>> signals;
  Tensor inputs;
  nn::HeldInputs held;
  std::unique_ptr<nn::Model> first;
  Progress progress("propagate", p.seeds);
  for_each_draw(options.source, p.seeds, DType::f64, [&](std::int64_t k, Source& source) {
    if (k == 0) {
      checked_usage("propagate", [&] { isometry::check_signal(*source.model); });
      const Inputs opened = open_inputs(options.inputs, source, DType::f64);
      inputs = opened.values;
      held = opened.held;
      p.samples = inputs.shape()[0];
      p.name = source.name;
      p.weights = weights_text(source, p.seeds);
      p.inputs = opened.text;
    }
    hold(*source.model, held);
    Random random(static_cast<std::uint64_t>(source.recipe.train.seed), stream_named("propagate"));
    signals.push_back(isometry::measure_signal(*source.model, inputs.to(source.model->parameters().device()), random));
    if (k == 0) first = std::move(source.model);
    if (is_terminal(Stream::error)) progress.update(k + 1, "");
  });
  progress.finish();
  p.layers = isometry::signal_statistics(signals);
  add_theory(options, *first, inputs.to(first->parameters().device()), p);
  return p;
}

// The columns of every file, by name.
struct Column {
  const char* name;
  double (*value)(const LayerStatistics&, const Line&);
  bool of_tokens = false;  // of Transformers alone
};
constexpr Column columns[] = {
    {"q", [](const LayerStatistics& s, const Line&) { return s.q.value; }},
    {"q_se", [](const LayerStatistics& s, const Line&) { return s.q.standard_error; }},
    {"q_theory", [](const LayerStatistics&, const Line& t) { return t.q; }},
    {"c", [](const LayerStatistics& s, const Line&) { return s.c.value; }},
    {"c_se", [](const LayerStatistics& s, const Line&) { return s.c.standard_error; }},
    {"c_theory", [](const LayerStatistics&, const Line& t) { return t.c; }},
    {"gradient_norm", [](const LayerStatistics& s, const Line&) { return s.gradient_norm.value; }},
    {"gradient_norm_se", [](const LayerStatistics& s, const Line&) { return s.gradient_norm.standard_error; }},
    {"gradient_norm_theory", [](const LayerStatistics&, const Line& t) { return t.gradient_norm; }},
    {"apjn", [](const LayerStatistics& s, const Line&) { return s.apjn.value; }},
    {"apjn_se", [](const LayerStatistics& s, const Line&) { return s.apjn.standard_error; }},
    {"apjn_theory", [](const LayerStatistics&, const Line& t) { return t.apjn; }},
    {"token_cosine", [](const LayerStatistics& s, const Line&) { return s.token_cosine.value; }, true},
    {"token_cosine_se", [](const LayerStatistics& s, const Line&) { return s.token_cosine.standard_error; }, true},
    {"attention_entropy", [](const LayerStatistics& s, const Line&) { return s.attention_entropy.value; }, true},
    {"attention_entropy_se", [](const LayerStatistics& s, const Line&) { return s.attention_entropy.standard_error; },
     true},
    {"branch_ratio", [](const LayerStatistics& s, const Line&) { return s.branch_ratio.value; }},
};

bool has_tokens(const Propagation& p) { return !std::isnan(p.layers.back().attention_entropy.value); }

std::vector<Column> columns_of(const Propagation& p) {
  std::vector<Column> used;
  for (const Column& column : columns)
    if (!column.of_tokens || has_tokens(p)) used.push_back(column);
  return used;
}

std::string json_of(const Propagation& p) {
  Json layers = Json::array();
  for (std::size_t l = 0; l < p.layers.size(); ++l) {
    Json layer{{"layer", l}};
    for (const Column& column : columns_of(p)) layer[column.name] = column.value(p.layers[l], p.theory[l]);
    layers.push_back(std::move(layer));
  }
  Json json{{"schema", 1}, {"layers", std::move(layers)}};
  if (!p.theory_reason.empty()) json["theory_reason"] = p.theory_reason;
  return json.dump() + "\n";
}

std::string csv_of(const Propagation& p) {
  std::vector<std::string> names{"layer"};
  for (const Column& column : columns_of(p)) names.emplace_back(column.name);
  Csv csv(names);
  for (std::size_t l = 0; l < p.layers.size(); ++l) {
    std::vector<double> row{static_cast<double>(l)};
    for (const Column& column : columns_of(p)) row.push_back(column.value(p.layers[l], p.theory[l]));
    csv.row(row);
  }
  return csv.text();
}

std::vector<NamedTensor> arrays_of(const Propagation& p) {
  std::vector<NamedTensor> arrays;
  for (const Column& column : columns_of(p)) {
    std::vector<double> values;
    for (std::size_t l = 0; l < p.layers.size(); ++l) values.push_back(column.value(p.layers[l], p.theory[l]));
    arrays.push_back({column.name, Tensor::of({std::ssize(values)}, values)});
  }
  return arrays;
}

std::string cell(double value) { return number_text(value, 4); }
std::string cell(const isometry::Estimate& e) { return number_text(e.value, e.standard_error, 4); }

// A column of the table: what was measured, and theory's beside it where there is one.
struct Shown {
  const char* title;
  isometry::Estimate LayerStatistics::* measured;
  double Line::* theory = nullptr;
};

std::string table_of(const Propagation& p) {
  std::vector<Shown> shown{{"q", &LayerStatistics::q, &Line::q},
                           {"c", &LayerStatistics::c, &Line::c},
                           {"gradient norm", &LayerStatistics::gradient_norm, &Line::gradient_norm},
                           {"APJN", &LayerStatistics::apjn, &Line::apjn}};
  if (has_tokens(p)) {
    shown.push_back({"token cosine", &LayerStatistics::token_cosine});
    shown.push_back({"entropy", &LayerStatistics::attention_entropy});
  }
  std::vector<std::vector<std::string>> rows{{"layer"}};
  for (const Shown& column : shown) {
    rows[0].emplace_back(column.title);
    if (p.theory_reason.empty() && column.theory) rows[0].emplace_back("theory");
  }
  rows[0].emplace_back("|F|/|x|");
  for (const std::size_t l : evenly_spaced(p.layers.size(), 17)) {
    std::vector<std::string>& row = rows.emplace_back(std::vector{std::to_string(l)});
    for (const Shown& column : shown) {
      row.push_back(cell(p.layers[l].*column.measured));
      if (p.theory_reason.empty() && column.theory) row.push_back(cell(p.theory[l].*column.theory));
    }
    row.push_back(cell(p.layers[l].branch_ratio.value));
  }
  return table_text(rows, std::string(rows[0].size(), 'r'));
}

std::string text_of(const Propagation& p) {
  std::string text = fmt::format(
      "{}: signals by depth, hidden states from 0\n  weights  {}\n  inputs   {}\n\n"
      "q: |x|^2 / width; c: cosine between inputs; gradient norm: root mean square of |dC/dx_l| for random unit "
      "directions at the end;\n"
      "APJN: ||d x_l / d x_0||_F^2 / width; +-: standard error over {}\n",
      p.name, p.weights, p.inputs, p.seeds > 1 ? "draws of the weights" : "inputs");
  if (has_tokens(p))
    text +=
        "token cosine: between tokens of an input, 1 where they have become one; entropy: of attention's weights, in "
        "nats\n";
  text += "\n" + table_of(p);
  if (p.samples > 1 && std::ranges::any_of(p.layers, [](const auto& s) { return std::isnan(s.c.value); }))
    text += "\nno c (-) where the hidden state of an input is 0: it has no direction\n";
  return p.theory_reason.empty() ? text : text + fmt::format("\nno theory: {}\n", p.theory_reason);
}

// Dots with bars, and theory's line.
report::LineChart chart_of(const Propagation& p, const char* title, bool log_y,
                           isometry::Estimate LayerStatistics::* measured, double Line::* theory) {
  report::Series dots{.label = fmt::format("mean and standard error over {}", p.seeds > 1 ? "draws" : "inputs"),
                      .x = {},
                      .y = {},
                      .error = {},
                      .colour = 0};
  report::Series line{.label = "mean field", .x = {}, .y = {}, .error = {}, .colour = 6};
  for (const std::size_t l : at_equal_steps(p.layers.size(), 41)) {
    if (l == 0 && std::isnan((p.layers[l].*measured).value)) continue;  // attention belongs to layers
    dots.x.push_back(static_cast<double>(l));
    dots.y.push_back((p.layers[l].*measured).value);
    dots.error.push_back((p.layers[l].*measured).standard_error);
  }
  for (std::size_t l = 0; theory && l < p.theory.size(); ++l) {
    line.x.push_back(static_cast<double>(l));
    line.y.push_back(p.theory[l].*theory);
  }
  report::LineChart chart{
      .title = title, .x_label = "hidden state l", .y_label = "", .log_y = log_y, .series = {std::move(dots)}};
  if (theory && p.theory_reason.empty()) chart.series.push_back(std::move(line));
  return chart;
}

report::ChartGrid charts_of(const Propagation& p) {
  report::ChartGrid grid{.title = p.name + ": signals by depth", .charts = {}};
  const auto add = [&](const char* title, bool log_y, isometry::Estimate LayerStatistics::* measured,
                       double Line::* theory) {
    const auto known = [&](const LayerStatistics& layer) { return std::isfinite((layer.*measured).value); };
    if (std::any_of(p.layers.begin(), p.layers.end(), known))
      grid.charts.push_back(chart_of(p, title, log_y, measured, theory));
  };
  add("q = |x_l|^2 / width", true, &LayerStatistics::q, &Line::q);
  add("c, cosine between inputs", false, &LayerStatistics::c, &Line::c);
  add("gradient norm |dC/dx_l|", true, &LayerStatistics::gradient_norm, &Line::gradient_norm);
  add("token cosine, between tokens of an input", false, &LayerStatistics::token_cosine, nullptr);
  add("attention entropy (nats)", false, &LayerStatistics::attention_entropy, nullptr);
  add("APJN ||d x_l / d x_0||_F^2 / width", true, &LayerStatistics::apjn, &Line::apjn);
  return grid;
}

int run(const PropagateOptions& options) {
  set_threads(options.output.threads);
  check_inputs(options.inputs);
  if (options.seeds && !draws(options))
    throw UsageError("--seeds: draws weights, but they are given (--recipe alone draws them)");
  check_outputs(options.output);
  const Propagation p = measure(options);
  write_outputs(options.output, {.text = [&] { return text_of(p); },
                                 .json = [&] { return json_of(p); },
                                 .csv = [&] { return csv_of(p); },
                                 .arrays = [&] { return arrays_of(p); },
                                 .svg = [&] { return report::svg(charts_of(p)); },
                                 .png = [&] { return report::png(charts_of(p)); }});
  return exit_success;
}

}  // namespace

Command make_propagate(CLI::App& app) {
  const auto options = std::make_shared<PropagateOptions>();
  CLI::App* const command =
      app.add_subcommand("propagate", "Forward and backward signal of a network by depth, beside mean field");
  command->footer(
      "Of initial weights mean field gives the lines: signals and gradients at infinite width, from the measured "
      "first\n"
      "hidden state on.\n\n"
      "Examples:\n"
      "  rezero propagate --recipe fc64-deep.toml --set model.init=mean_field --set model.activation=tanh --png "
      "signals.png\n"
      "  rezero propagate runs/rezero --csv signals.csv");
  add_source(*command, options->source);
  add_inputs(*command, options->inputs);
  command->add_option("--seeds", options->seeds, "Draws of the weights, from the recipe's seed on (default 10)")
      ->type_name("K")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30).description(""));
  add_outputs(*command, options->output, "The layers", "Measured dots and theory's lines by depth");
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
