// rezero theory recommend: where to start so that the singular values keep within limits.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/parallel.h"
#include "tools/isometry/theory/random_net.h"
#include "tools/isometry/theory/recommend.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/theory_commands.h"
#include "tools/rezero/theory_options.h"
#include "tools/rezero/theory_text.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;

struct RecommendOptions {
  NetOptions net;
  std::optional<double> sigma_w, sigma_b, max_variance;
  std::optional<std::int64_t> depth;
  std::string singular_values;
  OutputOptions output;
};

isometry::Limits limits_of(const RecommendOptions& o) {
  if (o.max_variance.has_value() == !o.singular_values.empty())
    throw UsageError("theory recommend: give one limit (--max-variance V or --singular-values LO:HI)");
  isometry::Limits limits;
  if (o.max_variance) {
    if (!(std::isfinite(*o.max_variance) && *o.max_variance >= 0))
      throw UsageError(fmt::format("--max-variance: is {:g}, but must be a number from 0 on", *o.max_variance));
    limits.variance_over_mean2 = *o.max_variance;
  } else {
    const Interval interval = parse_interval(o.singular_values, "--singular-values");
    if (!(interval.low >= 0)) throw UsageError("--singular-values: they are not below 0");
    limits.s_min = interval.low;
    limits.s_max = interval.high;
  }
  return limits;
}

// What may do where no deep network keeps the limits.
const char* way_out(const RecommendOptions& o) {
  if (weights_of(o.net) == isometry::Weights::gaussian) return "--weights orthogonal, or --form rezero, may do";
  return o.max_variance ? "fewer layers, or --form rezero, may do"
                        : "fewer layers, --max-variance, or --form rezero, may do";
}

// The network of these options, without what is recommended.
isometry::RandomNet asked(const RecommendOptions& o) {
  if (!o.depth || *o.depth < 1 || *o.depth > 1000000)
    throw UsageError("--depth: give a number of layers from 1 to 1000000 (--depth L)");
  const bool deep = o.net.form != "rezero";
  if (deep && (o.sigma_w || o.sigma_b))
    throw UsageError(fmt::format("{}: is what is recommended for --form deep", o.sigma_w ? "--sigma-w" : "--sigma-b"));
  refuse(deep && !o.net.branch.empty(), "--branch", "belongs to --form rezero");
  check_sigma(o.sigma_w, "--sigma-w");
  check_sigma(o.sigma_b, "--sigma-b");
  refuse(o.sigma_w && *o.sigma_w == 0, "--sigma-w", "is 0, so all gates give the identity (take it above 0)");
  return {.activation = activation_of(o.net),
          .sigma_w = o.sigma_w.value_or(1),
          .sigma_b = o.sigma_b.value_or(0),
          .weights = weights_of(o.net),
          .depth = *o.depth,
          .order = branch_of(o.net)};
}

// The network that keeps the limits.
isometry::RandomNet recommended(const RecommendOptions& o) {
  const isometry::Limits limits = limits_of(o);
  isometry::RandomNet net = asked(o);
  const bool deep = o.net.form != "rezero";
  const std::string flag = o.max_variance ? "--max-variance" : "--singular-values";
  return checked_usage(flag, [&] {
    try {
      if (deep) {
        const isometry::CriticalPoint point = isometry::recommend_deep(net.activation, net.depth, net.weights, limits);
        net.sigma_w = point.sigma_w;
        net.sigma_b = point.sigma_b;
        net.q_star = point.q;
      } else {
        net.gates.assign(static_cast<std::size_t>(net.depth), isometry::recommend_gate(net, limits));
      }
      return net;
    } catch (const isometry::OutOfReach& error) {
      throw UsageError(fmt::format("{}: {}{}", flag, error.message(), deep ? fmt::format(" ({})", way_out(o)) : ""));
    }
  });
}

std::string json_of(const isometry::RandomNet& net, const isometry::Law& law, const Density& density) {
  return Json{{"schema", 1},
              {"activation", info(net.activation.function).name},
              {"sigma_w", net.sigma_w},
              {"sigma_b", net.sigma_b},
              {"gate", net.residual() ? Json(net.gates[0]) : Json()},
              {"spectrum", spectrum_json(law.summary(), density)}}
             .dump() +
         "\n";
}

std::string title_of(const isometry::RandomNet& net) {
  return fmt::format("{}, {} layers: sigma_w {:.8g}, sigma_b {:.8g}{}", info(net.activation.function).name, net.depth,
                     net.sigma_w, net.sigma_b,
                     net.residual() ? fmt::format(", gate {:.8g} of {}", net.gates[0], residual_layer(net)) : "");
}

int run(const RecommendOptions& options) {
  set_threads(options.output.threads);
  const isometry::RandomNet net = recommended(options);
  check_outputs(options.output);
  const isometry::Law law = isometry::law_of(net);
  const Density density = density_of(law);
  check_density(density, options.output);
  const auto chart = [&] { return density_chart(title_of(net), law.summary(), density); };
  write_outputs(options.output, {.text = [&] { return title_of(net) + "\n\n" + spectrum_text(law.summary()); },
                                 .json = [&] { return json_of(net, law, density); },
                                 .csv = [&] { return density_csv(density); },
                                 .arrays = [&] { return density_arrays(density); },
                                 .svg = [&] { return report::svg(chart()); },
                                 .png = [&] { return report::png(chart()); }});
  return exit_success;
}

}  // namespace

Command make_theory_recommend(CLI::App& theory) {
  const auto options = std::make_shared<RecommendOptions>();
  CLI::App* const command =
      theory.add_subcommand("recommend", "Where to start so that the singular values keep within limits");
  command->footer(
      "Of --form deep the point of the critical line with the largest sigma_b, of --form rezero the largest gate, at\n"
      "infinite width.\n\n"
      "Examples:\n"
      "  rezero theory recommend --activation tanh --depth 100 --weights orthogonal --max-variance 1\n"
      "  rezero theory recommend --activation relu --depth 64 --form rezero --sigma-w 1.4142 --singular-values 0.5:2");
  add_net(*command, options->net);
  command->add_option("--depth", options->depth, "Layers L")->type_name("L")->check(check_whole_number);
  command->add_option("--sigma-w", options->sigma_w, "Of --form rezero (default 1)")->type_name("X");
  command->add_option("--sigma-b", options->sigma_b, "Of --form rezero (default 0)")->type_name("X");
  command->add_option("--max-variance", options->max_variance, "Largest variance of sigma^2 in units of its mean^2")
      ->type_name("V");
  command->add_option("--singular-values", options->singular_values, "Interval that holds all singular values")
      ->type_name("LO:HI");
  add_outputs(*command, options->output, "The density", "The density of log10 sigma");
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
