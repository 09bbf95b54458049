// rezero jacobian: the exact Jacobian of a network at some inputs, and its singular values.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "autograd/tape.h"
#include "autograd/transforms.h"
#include "core/linalg.h"
#include "core/parallel.h"
#include "core/random.h"
#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"
#include "tools/isometry/start.h"
#include "tools/report/spectra.h"
#include "tools/rezero/command.h"
#include "tools/rezero/progress.h"
#include "tools/rezero/size.h"
#include "tools/rezero/source.h"
#include "tools/rezero/spectrum_text.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

namespace fs = std::filesystem;

struct Options {
  SourceOptions source;
  std::string input, inputs, of = "stack", precision = "f64", memory = "1GiB", out, svg;
  std::int64_t samples = 0;  // 0: not given
  int threads = 0;
  bool json = false;
};

struct Inputs {
  Tensor values;     // [samples, ...input_shape]
  std::string text;  // "10 images of shapes validation"
};

std::int64_t samples_wanted(const Options& options, std::int64_t otherwise, std::int64_t most, std::string_view where) {
  const std::int64_t samples = options.samples == 0 ? otherwise : options.samples;
  if (samples > most)
    throw UsageError(fmt::format("--samples: {} were asked for, but {} has {}", samples, where, most));
  return samples;
}

Inputs gaussian_inputs(const Options& options, const Source& source, DType precision) {
  const auto seed = static_cast<std::uint64_t>(source.recipe.train.seed);
  const std::int64_t samples = samples_wanted(options, 10, std::int64_t{1} << 40, "N(0, 1)");
  Random random(seed, stream_named("jacobian/inputs"));
  const Shape shape = source.model->input_shape().prepended(samples);
  return {normal_tensor(shape, random, precision), fmt::format("{} from N(0, 1), seed {}", samples, seed)};
}

Inputs data_inputs(const Options& options, const Source& source, DType precision) {
  const Dataset data = load_split(source.recipe, "validation");
  const std::int64_t samples = samples_wanted(options, std::min<std::int64_t>(10, data.size()), data.size(), data.name);
  const Tensor images = decode_images(data, 0, samples, {}, precision);
  return {images.reshape(source.model->input_shape().prepended(samples)),
          fmt::format("the first {} of {}, {}", samples, data.name, data.real() ? "as they are" : "normalised")};
}

Inputs inputs_of(const Options& options, const Source& source, DType precision) {
  if (!options.input.empty()) {
    const Tensor all = read_inputs(options.input, *source.model, precision);
    const std::int64_t samples = samples_wanted(options, all.shape()[0], all.shape()[0], options.input);
    return {all.rows(0, samples), fmt::format("{} of {}, as they are", samples, absolute(options.input))};
  }
  const bool data = options.inputs == "data" || (options.inputs.empty() && data_fits(source.recipe, *source.model));
  return data ? data_inputs(options, source, precision) : gaussian_inputs(options, source, precision);
}

// One Jacobian [m, n] at x [1, ...input_shape].
Tensor jacobian_at(const nn::Model& model, const Tensor& x, bool stack, const JacobianOptions& options) {
  if (!stack) return jacobian([&](const Variable& v) { return model(v); }, x, options);
  return isometry::stack_jacobian(model, x, options);
}

isometry::Result analyze(const Options& options, const Source& source, const Tensor& inputs, DType precision) {
  const std::int64_t samples = inputs.shape()[0], group = threads();
  const bool stack = options.of == "stack";
  JacobianOptions how;
  how.memory = parse_size(options.memory, "--memory");
  how.concurrent = true;
  Progress progress("jacobian", samples);
  std::vector<isometry::SampleSpectrum> spectra;
  std::int64_t rows = 0, columns = 0;
  // As many matrices at a time as there are threads for their singular values.
  for (std::int64_t first = 0; first < samples; first += group) {
    std::vector<Tensor> matrices;
    for (std::int64_t i = first; i < std::min(samples, first + group); ++i) {
      const Tensor x = inputs.rows(i, 1).to(source.model->parameters().device());
      const Tensor j = jacobian_at(*source.model, x, stack, how).to(Device::cpu());
      check_finite(j, "jacobian", fmt::format("the Jacobian of sample {}", i));
      rows = j.shape()[0];
      columns = j.shape()[1];
      matrices.push_back(j);
    }
    for (isometry::SampleSpectrum& spectrum : isometry::spectra(matrices)) spectra.push_back(std::move(spectrum));
    if (is_terminal(Stream::error)) progress.update(std::ssize(spectra), "");
  }
  progress.finish();
  return isometry::result_of(std::move(spectra), rows, columns, options.of, precision);
}

void check_options(const Options& options) {
  if (!options.input.empty() && !options.inputs.empty())
    throw UsageError("--inputs: the inputs are those of --input FILE (give one of the two)");
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
  if (!options.out.empty()) check_target(options.out);
  if (!options.svg.empty()) check_target(options.svg);
}

void write_result(const Options& options, const isometry::Result& result, const std::string& title) {
  std::string picture;
  if (!options.svg.empty())
    picture = report::svg(report::spectrum_histogram(title, {report::spectrum_panel(result.of, result)}));
  const std::string kind = fs::path(options.out).extension().string();
  if (kind == ".npz") {
    save_npz(options.out, report::to_arrays(result));
  } else if (!options.out.empty()) {
    write_atomically(options.out, kind == ".csv" ? report::to_csv(result) : report::to_json(result));
  }
  if (!options.svg.empty()) write_atomically(options.svg, picture);
}

int run(const Options& options) {
  set_threads(options.threads);
  const DType precision = precision_named(options.precision);
  check_options(options);
  const Source source = open_source(options.source, precision);
  const Inputs inputs = inputs_of(options, source, precision);
  const isometry::Result result = analyze(options, source, inputs.values, precision);
  write_result(options, result, fmt::format("Jacobian of the {}: {}", result.of, source.name));
  if (takes_standard_output({options.out, options.svg})) return exit_success;
  print(options.json ? report::to_json(result) : spectrum_text(result, source.name, source.weights, inputs.text));
  for (const std::string& path : {options.out, options.svg}) {
    if (!path.empty() && !options.json) print(fmt::format("written: {}\n", absolute(path)));
  }
  return exit_success;
}

}  // namespace

Command make_jacobian(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("jacobian", "Exact Jacobian of a network and its singular values");
  command->footer(
      "The stack is the last hidden state with respect to the first (the input layer's output), the network its\n"
      "outputs with respect to its inputs. If all singular values of the stack are 1, signals and gradients pass it\n"
      "unchanged: dynamical isometry, which ReZero has at the start of training at any depth.\n\n"
      "Examples:\n"
      "  rezero jacobian runs/rezero --of network --samples 100 --inputs gaussian --svg spectrum.svg\n"
      "  rezero jacobian --recipe fc64-rezero.toml --set model.depth=1000 --inputs gaussian --json");
  add_source(*command, options->source);
  command->add_option("--of", options->of, "Which map: stack (default) or network")
      ->type_name("stack|network")
      ->check(CLI::IsMember({"stack", "network"}).description(""));
  CLI::Option* const input =
      command->add_option("--input", options->input, "Inputs, used as they are: [samples, inputs], or one input");
  input->type_name("FILE.npy");
  command
      ->add_option("--inputs", options->inputs,
                   "data: validation images in order, normalised (default, if the recipe's data fit the network);\n"
                   "gaussian: each entry from N(0, 1), by the recipe's seed")
      ->type_name("data|gaussian")
      ->check(CLI::IsMember({"data", "gaussian"}).description(""));
  command->add_option("--samples", options->samples, "How many inputs (default 10, or all of --input FILE)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40).description(""));
  command->add_option("--precision", options->precision, "Of the whole analysis: f64 (default) or f32")
      ->type_name("f64|f32");
  command
      ->add_option("--memory", options->memory,
                   "Budget for directions at a time: bytes, or with KB ... GB, KiB ... GiB (default 1GiB)")
      ->type_name("SIZE");
  command->add_option("--out", options->out, "Singular values as .npz, .csv or .json")->type_name("FILE");
  command->add_option("--svg", options->svg, "Histogram of log10 of the singular values")->type_name("FILE");
  add_json(*command, options->json);
  add_threads(*command, options->threads);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
