// rezero theory: mean field and free probability of random networks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/parallel.h"
#include "data/csv.h"
#include "tools/isometry/theory/critical.h"
#include "tools/isometry/theory/random_net.h"
#include "tools/isometry/theory/signal.h"
#include "tools/report/chart.h"
#include "tools/rezero/command.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/theory_commands.h"
#include "tools/rezero/theory_options.h"
#include "tools/rezero/theory_text.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;

struct Theory {
  std::optional<isometry::RandomNet> net;  // absent: a limit law
  std::optional<isometry::MeanField> mean_field;
  std::optional<isometry::Law> law;
  std::optional<isometry::FiniteWidth> finite_width;
  std::vector<double> q, c;  // the path of two inputs
  Density density;
};

void find_sigmas(const TheoryOptions& o, isometry::RandomNet& net) {
  net.sigma_w = o.sigma_w.value_or(1);
  net.sigma_b = o.sigma_b.value_or(0);
  if (!o.critical && !o.half_stable) return;
  const isometry::CriticalPoint point = o.half_stable ? isometry::half_stable(net.activation)
                                        : o.sigma_b   ? isometry::critical_for_sigma_b(net.activation, *o.sigma_b)
                                                      : isometry::critical_for_sigma_w(net.activation, *o.sigma_w);
  net.sigma_w = point.sigma_w;
  net.sigma_b = point.sigma_b;
  net.q_star = point.q;
}

isometry::RandomNet net_of(const TheoryOptions& o) {
  isometry::RandomNet net{.activation = activation_of(o.net)};
  checked_usage(o.half_stable ? "--half-stable" : "--critical", [&] { find_sigmas(o, net); });
  net.weights = weights_of(o.net);
  net.order = branch_of(o.net);
  net.depth = o.depth.value_or(1);
  if (is_rezero(o) && o.depth) {
    const double gate = o.gate ? *o.gate : checked_usage("--t", [&] { return isometry::gate_of(net, *o.t); });
    net.gates.assign(static_cast<std::size_t>(net.depth), gate);
  }
  return net;
}

isometry::Law limit_of(const TheoryOptions& o) {
  if (o.universal.empty()) return isometry::residual_limit_law(*o.t);
  return isometry::universal_law(
      o.universal == "smooth" ? isometry::Universality::smooth : isometry::Universality::bernoulli, *o.variance);
}

Theory theory_of(const TheoryOptions& o) {
  Theory theory;
  if (is_limit(o)) {
    theory.law = limit_of(o);
  } else {
    theory.net = net_of(o);
    const isometry::RandomNet& net = *theory.net;
    theory.mean_field = isometry::mean_field(net);
    if (o.depth) theory.law = checked_usage("--depth", [&] { return isometry::law_of(net); });
    if (o.width)
      theory.finite_width = checked_usage("--width", [&] { return isometry::finite_width_of(net, *o.width); });
    if (o.q0)
      checked_usage("--q0", [&] {
        const isometry::Signal path =
            isometry::deep_signal(net.activation, net.sigma_w, net.sigma_b, {.q = *o.q0, .c = *o.c0}, *o.depth);
        theory.q = path.q;
        theory.c = path.c;
      });
  }
  if (theory.law) {
    theory.density = density_of(*theory.law, o.points.value_or(density_points), o.lambda);
  }
  return theory;
}

std::string json_of(const Theory& theory) {
  const auto& net = theory.net;
  Json json{{"schema", 1},
            {"activation", net ? Json(info(net->activation.function).name) : Json()},
            {"sigma_w", net ? net->sigma_w : nan},
            {"sigma_b", net ? net->sigma_b : nan},
            {"mean_field", theory.mean_field ? mean_field_json(*theory.mean_field) : Json()}};
  if (net && net->residual()) json["gate"] = net->gates[0];
  if (theory.law) json["spectrum"] = spectrum_json(theory.law->summary(), theory.density);
  if (theory.finite_width) json["finite_width"] = finite_width_json(*theory.finite_width, net->activation);
  if (!theory.q.empty()) json["trajectory"] = {{"q", theory.q}, {"c", theory.c}};
  return json.dump() + "\n";
}

std::string title_of(const Theory& theory) {
  if (!theory.net) return "Limit of infinite depth";
  const isometry::RandomNet& net = *theory.net;
  const std::string form = net.residual() ? fmt::format("{}, a {:.4g}, ", residual_layer(net), net.gates[0]) : "";
  const std::string depth = theory.law ? fmt::format(", depth {}", net.depth) : "";
  return fmt::format("{}{}{}, sigma_w {:.6g}, sigma_b {:.6g}, {} weights", form, info(net.activation.function).name,
                     depth, net.sigma_w, net.sigma_b,
                     net.weights == isometry::Weights::gaussian ? "gaussian" : "orthogonal");
}

std::string text_of(const Theory& theory) {
  std::string text = title_of(theory) + "\n";
  if (theory.mean_field) text += "\n" + mean_field_text(*theory.mean_field, *theory.net);
  if (theory.law) text += "\n" + spectrum_text(theory.law->summary());
  if (theory.finite_width) text += "\n" + finite_width_text(*theory.finite_width, *theory.net);
  if (!theory.q.empty())
    text += fmt::format("\nafter {} layers: q = {:.6g}, c = {:.6g}\n", theory.q.size() - 1, theory.q.back(),
                        theory.c.back());
  return text;
}

std::string csv_of(const Theory& theory) {
  if (theory.q.empty()) return density_csv(theory.density);
  Csv csv({"layer", "q", "c"});
  for (std::size_t l = 0; l < theory.q.size(); ++l) csv.row({static_cast<double>(l), theory.q[l], theory.c[l]});
  return csv.text();
}

std::vector<NamedTensor> arrays_of(const Theory& theory) {
  std::vector<NamedTensor> arrays = density_arrays(theory.density);
  if (!theory.q.empty()) {
    arrays.push_back({"q", Tensor::of({std::ssize(theory.q)}, theory.q)});
    arrays.push_back({"c", Tensor::of({std::ssize(theory.c)}, theory.c)});
  }
  return arrays;
}

bool all_positive(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return value > 0; });
}

report::LineChart path_chart(const std::vector<double>& path, const char* title, bool log_y, double fixed_point) {
  report::LineChart chart{
      .title = title, .x_label = "layer", .y_label = "", .log_y = log_y, .series = {}, .marked = false};
  report::Series line{.label = "path of the two inputs", .x = {}, .y = path, .colour = 2};
  for (std::size_t l = 0; l < path.size(); ++l) line.x.push_back(static_cast<double>(l));
  if (std::isfinite(fixed_point))
    chart.series.push_back(
        {.label = "fixed point", .x = {0, line.x.back()}, .y = {fixed_point, fixed_point}, .colour = 6});
  chart.series.push_back(std::move(line));
  return chart;
}

std::string picture_of(const Theory& theory, bool asked, auto format) {
  const report::LineChart density =
      density_chart(theory.q.empty() ? title_of(theory) : "Jacobian", theory.law->summary(), density_of(*theory.law),
                    asked ? theory.density : Density{});
  if (theory.q.empty()) return format(density);
  return format(report::ChartGrid{
      title_of(theory),
      {density,
       path_chart(theory.q, "q, squared length of the inputs", all_positive(theory.q), theory.mean_field->q_star),
       path_chart(theory.c, "c, cosine between the inputs", false, theory.mean_field->c_star)}});
}

int run(const TheoryOptions& options) {
  set_threads(options.output.threads);
  check_theory(options);
  check_outputs(options.output);
  const bool files = !options.output.csv.empty() || !options.output.npz.empty();
  const bool pictures = !options.output.svg.empty() || !options.output.png.empty();
  if (!options.depth && !is_limit(options) && (files || pictures))
    throw UsageError("theory: without --depth L there is nothing but numbers to write (--json)");
  const Theory theory = theory_of(options);
  if (theory.law && theory.q.empty()) check_density(theory.density, options.output);
  const auto draw = [&](auto format) {
    return [&, format] { return picture_of(theory, !options.lambda.empty(), format); };
  };
  write_outputs(options.output, {.text = [&] { return text_of(theory); },
                                 .json = [&] { return json_of(theory); },
                                 .csv = [&] { return csv_of(theory); },
                                 .arrays = [&] { return arrays_of(theory); },
                                 .svg = draw([](const auto& chart) { return report::svg(chart); }),
                                 .png = draw([](const auto& chart) { return report::png(chart); })});
  return exit_success;
}

// Options of `theory` before the name of a subcommand would mean nothing.
void check_order(const CLI::App& theory, const CLI::App& subcommand) {
  for (const CLI::Option* option : theory.get_options())
    refuse(option->count() > 0, option->get_name(),
           fmt::format("stands before {0}, but options of theory {0} come after its name (rezero theory {0} --help)",
                       subcommand.get_name()));
}

}  // namespace

Command make_theory(CLI::App& app) {
  const auto options = std::make_shared<TheoryOptions>();
  CLI::App* const command = app.add_subcommand("theory", "Mean field and free probability of random networks");
  command->require_subcommand(0, 1);
  command->footer(
      "sigma_w and sigma_b are standard deviations; spectra are those of infinite width.\n\n"
      "Examples:\n"
      "  rezero theory --activation tanh --sigma-b 0.05 --critical --depth 128 --svg density.svg\n"
      "  rezero theory --activation relu --sigma-w 1.4142 --form rezero --t 0.5 --depth 64\n"
      "  rezero theory --form rezero --t 0.5\n"
      "  rezero theory phase --activation tanh --sigma-w 0.5:3 --sigma-b 0:1 --png phase.png\n"
      "  rezero theory recommend --activation tanh --depth 100 --max-variance 1 --weights orthogonal");
  add_theory(*command, *options);
  const Command phase = make_theory_phase(*command), recommend = make_theory_recommend(*command);
  return {command, [=] {
            for (const Command& sub : {phase, recommend}) {
              if (!sub.app->parsed()) continue;
              check_order(*command, *sub.app);
              return sub.run();
            }
            return run(*options);
          }};
}

}  // namespace rz::tool
