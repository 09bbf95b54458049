// rezero eval: loss, accuracy and confusions of a network on data, or its outputs for given inputs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "autograd/tape.h"
#include "core/parallel.h"
#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"
#include "tools/rezero/classification.h"
#include "tools/rezero/command.h"
#include "tools/rezero/confusion.h"
#include "tools/rezero/json.h"
#include "tools/rezero/metrics.h"
#include "tools/rezero/network_inputs.h"
#include "tools/rezero/outputs.h"
#include "tools/rezero/source.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/transformer_inputs.h"

namespace rz::tool {
namespace {

struct EvalOptions {
  SourceOptions source;
  std::string split, input, output, confusion, precision = "f32";
  int threads = 0;
  bool json = false;
};

void check_options(const EvalOptions& options) {
  if (options.input.empty() != options.output.empty()) {
    throw UsageError(options.input.empty() ? "--output: there are no inputs to give outputs for (add --input FILE.npy)"
                                           : "--input: the outputs have no place to go (add --output FILE.npy)");
  }
  if (!options.input.empty() && !options.split.empty())
    throw UsageError("--split: the inputs are those of --input FILE (give one of the two)");
  if (!options.input.empty() && !options.confusion.empty())
    throw UsageError("--confusion: the inputs of --input have no labels (leave --input out)");
  check_confusion_file(options.confusion);
  check_files(options.json, {options.output, options.confusion});
}

// Outputs [samples, ...] for inputs [samples, ...], a batch at a time: memory is that of one.
Tensor outputs_of(nn::Model& model, const Inputs& inputs) {
  constexpr std::int64_t batch = 500;  // as in evaluate()
  const NoRecording off;
  const std::int64_t samples = inputs.values.shape()[0];
  Tensor outputs;
  for (std::int64_t first = 0; first < samples; first += batch) {
    const std::int64_t count = std::min(batch, samples - first);
    hold(model, nn::examples(inputs.held, first, count));
    const Tensor y = model(Variable(inputs.values.rows(first, count).to(model.parameters().device()))).value();
    if (first == 0) outputs = Tensor(y.shape().with(0, samples), y.dtype());
    outputs.rows(first, count).copy_from(y);
  }
  return outputs;
}

int write_outputs(const EvalOptions& options, const Source& source, DType precision) {
  InputOptions input;
  input.input = options.input;
  const Tensor outputs = outputs_of(*source.model, open_inputs(input, source, precision));
  const std::int64_t each = outputs.elements() / outputs.shape()[0];
  save_npy(options.output, outputs);
  if (takes_standard_output({options.output})) return exit_success;
  const std::string path = absolute(options.output);
  if (options.json) {
    print(fmt::format("{{\"examples\": {}, \"outputs\": {}, \"precision\": {}, \"output\": {}}}\n", outputs.shape()[0],
                      each, json_string(name(precision)), json_string(path)));
  } else {
    print(fmt::format("{} outputs{} of {} for {} samples, {}\nwritten: {}\n", each,
                      source.recipe.model.takes_numbers() ? " (logits)" : "", source.name, outputs.shape()[0],
                      name(precision), path));
  }
  return exit_success;
}

std::string totals_json(const Evaluation& result) {
  return fmt::format("\"examples\": {}, \"loss\": {}, \"accuracy\": {}", result.examples, json_number(result.loss),
                     json_number(result.accuracy));
}

std::string totals_text(const Source& source, const Dataset& split, const Evaluation& result) {
  return fmt::format("{} on {}\n  weights   {}\n\n  examples  {}\n  loss      {:.6g} nats{}\n  accuracy  {:.2f} %",
                     source.name, split.name, source.weights, grouped(static_cast<std::uint64_t>(result.examples)),
                     result.loss, unit_text(loss_unit(split), result.loss), 100 * result.accuracy);
}

void evaluate_text(const EvalOptions& options, const Source& source, const Dataset& split) {
  refuse(!options.confusion.empty(), "--confusion",
         fmt::format("{} is a text, its examples have no classes", split.name));
  const Evaluation result = evaluate(*source.model, split, normalisation_of(source.recipe));
  const LossUnit unit = loss_unit(split);
  const std::string more =
      unit == LossUnit::nats ? "" : fmt::format(", \"{}\": {}", name(unit), json_number(in_unit(unit, result.loss)));
  print(options.json ? fmt::format("{{{}{}}}\n", totals_json(result), more)
                     : totals_text(source, split, result) + "\n");
}

void evaluate_classes(const EvalOptions& options, const Source& source, const Dataset& split) {
  refuse(!options.confusion.empty() && split.classes() > most_confused_classes, "--confusion",
         fmt::format("{} has {} classes, the matrix is one of at most {}", split.name, split.classes(),
                     most_confused_classes));
  const Classification result = classify(*source.model, split, normalisation_of(source.recipe));
  if (!options.confusion.empty())
    write_confusion(options.confusion, result, split.class_names,
                    fmt::format("{} on {}: {:.2f} % right", source.name, split.name, 100 * result.evaluation.accuracy));
  if (takes_standard_output({options.confusion})) return;
  if (options.json) return print(fmt::format("{{{}, {}}}\n", totals_json(result.evaluation), classes_json(result)));
  std::string text = totals_text(source, split, result.evaluation) + " (top-1)\n";
  if (result.classes() > 5) text += fmt::format("  top-5     {:.2f} %\n", 100 * result.top5);
  text += "\n" + classes_text(result, split.class_names, !options.confusion.empty());
  if (!options.confusion.empty()) text += fmt::format("written: {}\n", absolute(options.confusion));
  print(text);
}

int evaluate_split(const EvalOptions& options, const Source& source) {
  const Dataset split = load_split(source.recipe, options.split.empty() ? "validation" : options.split);
  if (classifies(split)) {
    evaluate_classes(options, source, split);
  } else {
    evaluate_text(options, source, split);
  }
  return exit_success;
}

int run(const EvalOptions& options) {
  set_threads(options.threads);
  const DType precision = precision_named(options.precision);
  check_options(options);
  const Source source = open_source(options.source, precision);
  return options.input.empty() ? evaluate_split(options, source) : write_outputs(options, source, precision);
}

}  // namespace

Command make_eval(CLI::App& app) {
  const auto options = std::make_shared<EvalOptions>();
  CLI::App* const command =
      app.add_subcommand("eval", "Loss, accuracy and confusion matrix on data, or outputs for given inputs");
  command->footer(
      "Of labelled examples also top-5 (fewer than five logits are larger than the label's), accuracy and mistakes\n"
      "class by class, and the confusion matrix.\n\n"
      "Examples:\n"
      "  rezero eval runs/rezero --checkpoint best --json\n"
      "  rezero eval runs/rezero --confusion confusion.png\n"
      "  rezero eval --recipe fc64-rezero.toml --weights net.safetensors --input x.npy --output y.npy");
  add_source(*command, options->source);
  command->add_option("--split", options->split, "Which split: validation (default), train or test (of texts)")
      ->type_name("train|validation|test")
      ->check(CLI::IsMember({"train", "validation", "test"}).description(""));
  command
      ->add_option("--confusion", options->confusion,
                   "Writes the confusion matrix, a row per true class, a column per predicted one:\n"
                   "a picture, a table with names, or an array; by its name .png, .svg, .csv or .npy")
      ->type_name("FILE");
  command
      ->add_option("--input", options->input,
                   "Inputs as the network sees them (already normalised): [samples, inputs] or [samples, 3, 32, 32];\n"
                   "of a Transformer as for rezero jacobian: .npy, or .npz with PyTorch's names")
      ->type_name("X.npy|X.npz");
  add_file(*command, "--output", options->output, "Where the outputs for --input go: logits, a row per sample",
           "Y.npy");
  command->add_option("--precision", options->precision, "Of the computation and of --output: f32 (default) or f64")
      ->type_name("f32|f64");
  add_json(*command, options->json);
  add_threads(*command, options->threads);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
