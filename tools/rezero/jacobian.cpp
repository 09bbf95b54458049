// rezero jacobian: the exact Jacobian of a network at some inputs, and its singular values.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "core/parallel.h"
#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"
#include "tools/isometry/measure.h"
#include "tools/report/spectra.h"
#include "tools/rezero/command.h"
#include "tools/rezero/estimates.h"
#include "tools/rezero/network_inputs.h"
#include "tools/rezero/outputs.h"
#include "tools/rezero/part_options.h"
#include "tools/rezero/progress.h"
#include "tools/rezero/size.h"
#include "tools/rezero/source.h"
#include "tools/rezero/spectrum_text.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/token_blocks.h"
#include "tools/rezero/transformer_inputs.h"

namespace rz::tool {
namespace {

namespace fs = std::filesystem;

struct JacobianOptions {
  SourceOptions source;
  InputOptions inputs;
  PartOptions part;
  std::string precision = "f64", memory = "1GiB", out, svg, blocks;
  int threads = 0;
  bool json = false;
};

struct Analysis {
  isometry::Result result;
  std::string part;                            // its name
  std::optional<isometry::BlockNorms> blocks;  // with --blocks
};

Analysis analyze(const JacobianOptions& options, const Source& source, const Inputs& inputs, DType precision,
                 std::int64_t memory) {
  std::optional<isometry::BlockNorms> blocks;
  const auto add_blocks = [&](const Tensor& jacobian) {
    if (!blocks) blocks.emplace(jacobian.shape()[1] / source.recipe.model.d_model);
    blocks->add(jacobian);
  };
  isometry::Part part = part_of(options.part, source);
  take_together(part, inputs);
  Progress progress("jacobian", inputs.values.shape()[0]);
  std::vector<isometry::SampleSpectrum> spectra;
  isometry::Extents extents;
  for_each_held(*source.model, inputs, [&](const Tensor& x, std::int64_t first) {
    isometry::MeasureOptions how{.memory = memory};
    if (!options.blocks.empty()) how.look = add_blocks;
    how.progress = [&](double share) {
      if (is_terminal(Stream::error))
        progress.update(first + std::llround(share * static_cast<double>(x.shape()[0])), "");
    };
    for (isometry::SampleSpectrum& spectrum : isometry::exact_spectra(part, x, how))
      spectra.push_back(std::move(spectrum));
    extents = isometry::extents(part, x);
  });
  progress.finish();
  return {isometry::result_of(std::move(spectra), part, extents, precision), name_of(part), std::move(blocks)};
}

// Why the ends of the spectrum are found without J: it does not fit the budget, and no file asks for all of it. "": it
// fits, or a file does.   Throws: memory (neither fits)
std::string why_ends(const JacobianOptions& options, const Source& source, const Inputs& inputs, DType precision) {
  if (!options.out.empty() || !options.svg.empty() || !options.blocks.empty()) return "";
  isometry::Part part = part_of(options.part, source);
  take_together(part, inputs);
  hold(*source.model, nn::examples(inputs.held, 0, 1));
  const isometry::Extents extents =
      isometry::extents(part, isometry::sample(part, inputs.values, 0).to(source.model->parameters().device()));
  return within_budget(options.memory, "--memory", [&](std::int64_t memory) -> std::string {
    const std::int64_t bytes = exact_bytes(extents, precision);
    return bytes <= memory ? "" : why_only_ends(extents, bytes, options.memory);
  });
}

void write_ends(const JacobianOptions& o, std::string_view why) {
  SpectrumOptions ends;
  ends.source = o.source;
  ends.inputs = o.inputs;
  ends.part = o.part;
  ends.method = "lanczos";
  ends.precision = o.precision;
  ends.memory = o.memory;
  ends.output.json = o.json;
  estimate_spectrum(ends, {"", 0, "", o.source}, why);
}

void check_options(const JacobianOptions& options) {
  check_inputs(options.inputs);
  check_part(options.part);
  parse_size(options.memory, "--memory");
  std::error_code error;
  const fs::file_type type = fs::status(options.out, error).type();
  // Else JSON: a pipe, a device, standard output wherever it goes.
  const bool named =
      (type == fs::file_type::regular || type == fs::file_type::not_found) && !takes_standard_output({options.out});
  const std::string kind = fs::path(options.out).extension().string();
  if (!options.out.empty() && named && kind != ".npz" && kind != ".csv" && kind != ".json")
    throw UsageError(fmt::format("--out: the name {} does not say what to write (it must end with .npz, .csv or .json)",
                                 printable(options.out)));
  check_blocks_file(options.blocks);
  check_files(options.json, {options.out, options.svg, options.blocks});
}

void write_result(const JacobianOptions& options, const isometry::Result& result, std::string_view part,
                  const std::string& title) {
  std::string picture;
  if (!options.svg.empty())
    picture = report::svg(report::spectrum_histogram(title, {report::spectrum_panel(part, result)}));
  const std::string kind = fs::path(options.out).extension().string();
  if (kind == ".npz") {
    save_npz(options.out, report::to_arrays(result));
  } else if (!options.out.empty()) {
    write_atomically(options.out, kind == ".csv" ? report::to_csv(result) : report::to_json(result));
  }
  if (!options.svg.empty()) write_atomically(options.svg, picture);
}

int run(const JacobianOptions& options) {
  set_threads(options.threads);
  const DType precision = precision_named(options.precision);
  check_options(options);
  const Source source = open_source(options.source, precision);
  part_of(options.part, source);  // before inputs are read
  refuse(!options.blocks.empty() && !source.recipe.model.is_transformer(), "--blocks",
         fmt::format("the family {} has no tokens", source.recipe.model.family));
  const Inputs inputs = open_inputs(options.inputs, source, precision);
  if (const std::string why = why_ends(options, source, inputs, precision); !why.empty()) {
    write_ends(options, why);
    return exit_success;
  }
  const auto [result, part, blocks] = within_budget(options.memory, "--memory", [&](std::int64_t memory) {
    return analyze(options, source, inputs, precision, memory);
  });
  if (blocks) write_blocks(options.blocks, *blocks, fmt::format("{}: Jacobian of the {} by tokens", source.name, part));
  write_result(options, result, part, fmt::format("Jacobian of the {}: {}", part, source.name));
  if (takes_standard_output({options.out, options.svg, options.blocks})) return exit_success;
  std::string text = options.json ? report::to_json(result)
                                  : spectrum_text(result, part, source.name, weights_text(source, 1), inputs.text);
  if (!options.json && source.recipe.model.is_transformer()) {
    const std::string norm = norm_text(source.recipe.model, result.of, result.cols / source.recipe.model.d_model);
    if (!norm.empty()) text += norm + "\n";
  }
  print(text);
  for (const std::string& path : {options.out, options.svg, options.blocks}) {
    if (!path.empty() && !options.json) print(fmt::format("written: {}\n", absolute(path)));
  }
  return exit_success;
}

}  // namespace

Command make_jacobian(CLI::App& app) {
  const auto options = std::make_shared<JacobianOptions>();
  CLI::App* const command = app.add_subcommand("jacobian", "Exact Jacobian of a network and its singular values");
  command->footer(
      "The stack is the last hidden state with respect to the first (the input layer's output), the network its\n"
      "outputs with respect to its inputs. If all singular values of the stack are 1, signals and gradients pass it\n"
      "unchanged: dynamical isometry, which ReZero has at the start of training at any depth.\n\n"
      "Examples:\n"
      "  rezero jacobian runs/rezero --of network --samples 100 --inputs gaussian --svg spectrum.svg\n"
      "  rezero jacobian --recipe fc64-rezero.toml --set model.depth=1000 --inputs gaussian --json\n"
      "  rezero jacobian runs/rezero --from 10 --to 20");
  add_source(*command, options->source);
  add_statistics(*command, options->source);
  add_part(*command, options->part);
  add_inputs(*command, options->inputs);
  command->add_option("--precision", options->precision, "Of the whole analysis: f64 (default) or f32")
      ->type_name("f64|f32");
  command
      ->add_option("--memory", options->memory,
                   "Budget: bytes, or with KB ... GB, KiB ... GiB (default 1GiB). Where J and its SVD\n"
                   "do not fit and no file asks for all values, those at the ends are found without J")
      ->type_name("SIZE");
  add_file(*command, "--out", options->out, "Singular values as .npz, .csv or .json");
  add_file(*command, "--svg", options->svg, "Histogram of log10 of the singular values");
  command
      ->add_option("--blocks", options->blocks,
                   "Of a Transformer: how far each token's output depends on each token's input,\n"
                   "||J_ij||_F / sqrt(d), root mean square over the samples; by its name .csv, .npz, .svg or .png")
      ->type_name("FILE");
  add_json(*command, options->json);
  add_threads(*command, options->threads);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
