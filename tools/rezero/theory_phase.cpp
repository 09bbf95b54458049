// rezero theory phase: the phase diagram of an activation over (sigma_w, sigma_b).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/parallel.h"
#include "data/csv.h"
#include "data/text.h"
#include "tools/isometry/theory/mean_field.h"
#include "tools/isometry/theory/phase_diagram.h"
#include "tools/report/chart.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/theory_commands.h"
#include "tools/rezero/theory_options.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;
using isometry::PhaseDiagram;

struct PhaseOptions {
  NetOptions net;
  std::string sigma_w, sigma_b, grid = "101x101", here;
  OutputOptions output;
};

struct Question {
  Scalar activation;
  isometry::Window window;
  std::int64_t width = 0, height = 0;
  std::optional<Interval> here;  // sigma_w, sigma_b
};

bool read_integer(std::string_view text, std::int64_t& value) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && rest == text.data() + text.size();
}

// An interval of sigma_w or sigma_b.
Interval sigmas(const std::string& text, const char* flag) {
  if (text.empty()) throw UsageError(fmt::format("{}: no interval was given (write LO:HI)", flag));
  const Interval interval = parse_interval(text, flag);
  check_sigma(interval.low, flag);
  check_sigma(interval.high, flag);
  if (interval.low == interval.high)
    throw UsageError(fmt::format("{}: from {:g} to itself is no interval (write LO:HI)", flag, interval.low));
  return interval;
}

std::optional<Interval> here_of(const PhaseOptions& o, const Interval& w, const Interval& b) {
  if (o.here.empty()) return std::nullopt;
  refuse(o.output.svg.empty() && o.output.png.empty(), "--here",
         "marks the picture, but none was asked for (--svg, --png)");
  const std::optional<Interval> here = parse_pair(o.here, ',');
  if (!here) throw UsageError(fmt::format("--here: '{}' is no point (write SIGMA_W,SIGMA_B)", printable(o.here)));
  if (here->low < w.low || here->low > w.high || here->high < b.low || here->high > b.high)
    throw UsageError(
        fmt::format("--here: {:g},{:g} is outside of the window, sigma_w {:g} to {:g} and sigma_b {:g} to {:g} (widen "
                    "--sigma-w or --sigma-b)",
                    here->low, here->high, w.low, w.high, b.low, b.high));
  return here;
}

Question question_of(const PhaseOptions& o) {
  Question q{.activation = activation_of(o.net), .window = {}, .here = {}};
  const Interval w = sigmas(o.sigma_w, "--sigma-w"), b = sigmas(o.sigma_b, "--sigma-b");
  q.window = {w.low, w.high, b.low, b.high};
  const std::size_t cross = o.grid.find('x');
  if (cross == std::string::npos || !read_integer(std::string_view(o.grid).substr(0, cross), q.width) ||
      !read_integer(std::string_view(o.grid).substr(cross + 1), q.height))
    throw UsageError(fmt::format("--grid: '{}' is no size (write WxH, such as 200x200)", printable(o.grid)));
  q.here = here_of(o, w, b);
  return q;
}

Json rows_of(const std::vector<double>& values, std::size_t width) {
  Json rows = Json::array();
  for (std::size_t first = 0; first < values.size(); first += width)
    rows.push_back(std::vector<double>(values.begin() + static_cast<std::ptrdiff_t>(first),
                                       values.begin() + static_cast<std::ptrdiff_t>(first + width)));
  return rows;
}

std::string json_of(const PhaseDiagram& d) {
  const std::size_t width = d.sigma_w.size();
  Json line = Json::array();
  for (const isometry::CriticalPoint& p : d.critical_line)
    line.push_back({{"q", p.q}, {"sigma_w", p.sigma_w}, {"sigma_b", p.sigma_b}});
  return Json{{"schema", 1},
              {"sigma_w", d.sigma_w},
              {"sigma_b", d.sigma_b},
              {"q_star", rows_of(d.q_star, width)},
              {"chi_1", rows_of(d.chi_1, width)},
              {"c_star", rows_of(d.c_star, width)},
              {"xi_q", rows_of(d.xi_q, width)},
              {"xi_c", rows_of(d.xi_c, width)},
              {"critical_line", std::move(line)}}
             .dump() +
         "\n";
}

std::string csv_of(const PhaseDiagram& d) {
  Csv csv({"sigma_w", "sigma_b", "q_star", "chi_1", "c_star", "xi_q", "xi_c"});
  for (std::size_t i = 0; i < d.q_star.size(); ++i)
    csv.row({d.sigma_w[i % d.sigma_w.size()], d.sigma_b[i / d.sigma_w.size()], d.q_star[i], d.chi_1[i], d.c_star[i],
             d.xi_q[i], d.xi_c[i]});
  return csv.text();
}

std::vector<NamedTensor> arrays_of(const PhaseDiagram& d) {
  const std::int64_t w = std::ssize(d.sigma_w), h = std::ssize(d.sigma_b);
  return {{"sigma_w", Tensor::of({w}, d.sigma_w)},  {"sigma_b", Tensor::of({h}, d.sigma_b)},
          {"q_star", Tensor::of({h, w}, d.q_star)}, {"chi_1", Tensor::of({h, w}, d.chi_1)},
          {"c_star", Tensor::of({h, w}, d.c_star)}, {"xi_q", Tensor::of({h, w}, d.xi_q)},
          {"xi_c", Tensor::of({h, w}, d.xi_c)}};
}

std::vector<double> levels(std::vector<double> values) {
  for (double& value : values) value = std::log10(value);
  return values;
}

report::ContourMap map_of(const PhaseDiagram& d, const Question& q) {
  report::ContourMap map;
  map.title = fmt::format("Phase diagram of {}", info(q.activation.function).name);
  map.x_label = "sigma_w";
  map.y_label = "sigma_b";
  map.x_low = q.window.sigma_w_low;
  map.x_high = q.window.sigma_w_high;
  map.y_low = q.window.sigma_b_low;
  map.y_high = q.window.sigma_b_high;
  map.columns = d.sigma_w.size();
  map.rows = d.sigma_b.size();
  map.fields = {{.label = "chi_1: below 1 gradients vanish, above they explode",
                 .values = {},
                 .scale_label = "chi_1",
                 .levels = levels({0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1, 1.1, 1.5, 2, 3, 5, 10}),
                 .middle = 0,
                 .log10 = true},
                {.label = "6 xi_c, the depth that can be trained",
                 .values = {},
                 .scale_label = "layers",
                 .levels = levels({10, 20, 50, 100, 200, 500, 1000, 1e4, 1e5, 1e6}),
                 .log10 = true}};
  for (const double chi : d.chi_1) map.fields[0].values.push_back(std::log10(chi));
  for (const double xi : d.xi_c) map.fields[1].values.push_back(std::log10(6 * xi));
  if (!std::ranges::all_of(d.xi_c, [](double xi) { return std::isfinite(xi); }))
    map.fields[1].label += "; hatched: not finite";
  if (!d.critical_line.empty()) {
    const bool point = d.critical_line.size() == 1;
    report::Series line{.label = point ? "the only critical point" : "critical line, chi_1 = 1", .x = {}, .y = {}};
    for (const isometry::CriticalPoint& p : d.critical_line) {
      line.x.push_back(p.sigma_w);
      line.y.push_back(p.sigma_b);
    }
    map.lines.push_back(std::move(line));
  }
  if (q.here) map.marks.push_back({.label = "you are here", .x = q.here->low, .y = q.here->high});
  return map;
}

std::string text_of(const PhaseDiagram& d, const Question& q) {
  std::int64_t ordered = 0, chaotic = 0, critical = 0;
  for (const double chi : d.chi_1) {
    ordered += chi < 1;
    chaotic += chi > 1;
    critical += chi == 1;
  }
  std::string text = fmt::format("{}, {} x {} points: {} ordered (gradients vanish), {} chaotic (gradients explode)",
                                 info(q.activation.function).name, q.width, q.height, ordered, chaotic);
  text += critical > 0 ? fmt::format(", {} critical\n", critical) : "\n";
  if (d.critical_line.empty()) return text + "the critical line chi_1 = 1 does not pass through the window\n";
  std::vector<std::vector<std::string>> rows{{"sigma_w", "sigma_b", "q*"}};
  const std::size_t n = d.critical_line.size(), shown = std::min<std::size_t>(n, 9);
  for (std::size_t k = 0; k < shown; ++k) {
    const isometry::CriticalPoint& p = d.critical_line[shown == 1 ? 0 : k * (n - 1) / (shown - 1)];
    rows.push_back({fmt::format("{:.6f}", p.sigma_w), fmt::format("{:.6f}", p.sigma_b), number_text(p.q, 6)});
  }
  return text + "\ncritical line chi_1 = 1\n" + table_text(rows, "rrr");
}

int run(const PhaseOptions& options) {
  set_threads(options.output.threads);
  const Question q = question_of(options);
  check_outputs(options.output);
  const PhaseDiagram d =
      checked_usage("--grid", [&] { return isometry::phase_diagram(q.activation, q.window, q.width, q.height); });
  write_outputs(options.output, {.text = [&] { return text_of(d, q); },
                                 .json = [&] { return json_of(d); },
                                 .csv = [&] { return csv_of(d); },
                                 .arrays = [&] { return arrays_of(d); },
                                 .svg = [&] { return report::svg(map_of(d, q)); },
                                 .png = [&] { return report::png(map_of(d, q)); }});
  return exit_success;
}

}  // namespace

Command make_theory_phase(CLI::App& theory) {
  const auto options = std::make_shared<PhaseOptions>();
  CLI::App* const command = theory.add_subcommand("phase", "Phase diagram over sigma_w and sigma_b");
  command->footer(
      "Example:\n"
      "  rezero theory phase --activation tanh --sigma-w 0.5:3 --sigma-b 0:1 --grid 200x200 --here 1.2,0.1 --png "
      "phase.png");
  add_activation(*command, options->net);
  command->add_option("--sigma-w", options->sigma_w, "Interval of sigma_w, both ends included")->type_name("LO:HI");
  command->add_option("--sigma-b", options->sigma_b, "Interval of sigma_b")->type_name("LO:HI");
  command->add_option("--grid", options->grid, "Points along sigma_w and sigma_b")
      ->type_name("WxH")
      ->capture_default_str();
  command->add_option("--here", options->here, "A point to mark in the picture")->type_name("SIGMA_W,SIGMA_B");
  add_outputs(*command, options->output, "The diagram", "chi_1 and 6 xi_c as maps with the critical line");
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
