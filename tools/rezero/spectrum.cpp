// rezero spectrum: singular values of a network's Jacobian, the theory beside them, and what they mean.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/parallel.h"
#include "tools/rezero/command.h"
#include "tools/rezero/convolution_spectrum.h"
#include "tools/rezero/estimates.h"
#include "tools/rezero/measured.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;
std::string text_of(const std::vector<Measured>& series, const std::vector<Variant>& variants) {
  if (variants.front().key.empty()) return measured_text(series.front());
  std::vector<std::vector<std::string>> rows{
      {variants.front().key, "smallest", "largest", "mean square", "mean log", "what it means"}};
  for (std::size_t k = 0; k < series.size(); ++k) {
    const isometry::Summary& s = series[k].result.summary;
    rows.push_back({variants[k].name, isometry::power_of_ten(s.log10_min, 4), isometry::power_of_ten(s.log10_max, 4),
                    fmt::format("{:.4g}", s.mean_square), fmt::format("{:.4g}", s.mean_log),
                    series[k].verdicts.front().text});
  }
  const Measured& m = series.front();
  const std::string norms = m.result.statistics.empty() ? "" : fmt::format(", batch norms: {}", m.result.statistics);
  const bool recipes = variants.front().key == "recipe";
  if (recipes)
    return fmt::format("{}: singular values of the {}{}\n\n", series_name(series, variants), series_part(series),
                       norms) +
           table_text(rows, "lrrrrl");
  return fmt::format("{}: singular values of the {}, {} x {}, {}{}\n\n", m.name, series_part(series), m.result.rows,
                     m.result.cols, m.inputs, norms) +
         table_text(rows, "rrrrrl");
}

std::vector<Measured> measure_series(const SpectrumOptions& options, const std::vector<Variant>& variants) {
  std::vector<Measured> series;
  for (const Variant& variant : variants) series.push_back(measure_spectrum(options, variant));
  return series;
}

void write_series(const SpectrumOptions& options, const std::vector<Variant>& variants,
                  const std::vector<Measured>& series) {
  const auto draw = [&](auto format) {
    return [&, format] {
      if (options.picture == "fan") return format(measured_fan(series.front()));
      return options.picture == "edges" ? format(measured_edges(series, variants))
                                        : format(measured_histogram(series, variants));
    };
  };
  write_outputs(options.output, {.text = [&] { return text_of(series, variants); },
                                 .json = [&] { return series_json(series, variants).dump() + "\n"; },
                                 .csv = [&] { return measured_csv(series, variants); },
                                 .arrays = [&] { return measured_arrays(series, variants); },
                                 .svg = draw([](const auto& chart) { return report::svg(chart); }),
                                 .png = draw([](const auto& chart) { return report::png(chart); })});
}

int run(const SpectrumOptions& options) {
  set_threads(options.output.threads);
  check_spectrum(options);
  check_outputs(options.output);
  if (!options.convolution.empty()) {
    convolution_spectrum(options);
    return exit_success;
  }
  const std::vector<Variant> variants = variants_of(options);
  if (by_products_alone(options)) {
    estimate_spectrum(options, variants.front());
    return exit_success;
  }
  try {
    write_series(options, variants, measure_series(options, variants));
  } catch (const OnlyEndsFit& why) {
    SpectrumOptions ends = options;
    ends.method = "lanczos";
    estimate_spectrum(ends, variants.front(), why.message());
  }
  return exit_success;
}

}  // namespace

Command make_spectrum(CLI::App& app) {
  const auto options = std::make_shared<SpectrumOptions>();
  CLI::App* const command =
      app.add_subcommand("spectrum", "Singular values of a network's Jacobian, right in the tails, beside the theory");
  command->footer(
      "The product form never multiplies the layers' Jacobians: it resolves values over any number of decades, where "
      "an\n"
      "explicit J is noise below 1e-16 of its largest value. Of initial weights with a theory of infinite width it\n"
      "prints that as well. Of each value it is said whether it is resolved, below the floor, or an exact zero.\n\n"
      "--convolution NAME gives all singular values of one convolution, the largest (its operator norm) with its\n"
      "frequency. The JSON has in addition \"convolution\": {name, kernel, size, norm, frequency, padding}, and "
      "stride\n"
      "where the network's is not 1.\n\n"
      "Examples:\n"
      "  rezero spectrum --recipe fc64-rezero.toml --gates 0,0.05,0.1,0.2 --inputs gaussian --png gates.png\n"
      "  rezero spectrum --recipe fc64-deep.toml --set model.init=mean_field --set model.activation=tanh --seeds 5\n"
      "  rezero spectrum runs/rezero --checkpoint all --svg training.svg\n"
      "  rezero spectrum runs/resnet20 --convolution layer1.0.conv1 --size 32x32 --svg conv.svg");
  add_spectrum(*command, *options);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
