#include "tools/rezero/source.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <limits>

#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"
#include "tools/rezero/checkpoint.h"
#include "tools/rezero/command.h"
#include "tools/rezero/load_weights.h"
#include "tools/rezero/model.h"
#include "tools/rezero/run.h"

namespace rz::tool {
namespace {

namespace fs = std::filesystem;

void check_options(const SourceOptions& options) {
  const bool run = !options.run.empty(), recipe = !options.recipe.empty();
  if (!run && !recipe) throw UsageError("network: neither a run nor a recipe was given (name RUN, or --recipe FILE)");
  if (run && recipe) {
    throw UsageError(fmt::format("--recipe: the run {} has a recipe of its own (give one of RUN and --recipe)",
                                 printable(options.run)));
  }
  if (!options.checkpoint.empty() && !run)
    throw UsageError(
        "--checkpoint: only a run has checkpoints (name RUN; with --recipe, --weights FILE reads weights)");
  if (!options.checkpoint.empty() && !options.weights.empty())
    throw UsageError("--weights: --checkpoint names weights too (give one of the two)");
  if (options.ema && !run && options.weights.empty())
    throw UsageError("--ema: initial weights have no averages (name RUN, or --weights FILE with a checkpoint)");
  if (!options.settings.empty() && !recipe)
    throw UsageError("--set: a run's recipe stands as it is (--set belongs to --recipe FILE)");
}

// "[samples, 3072] or [samples, 3, 32, 32]"
std::string wanted_shapes(const Shape& input) {
  const std::string flat = fmt::format("[samples, {}]", input.elements());
  return input.rank() == 1 ? flat : fmt::format("{} or [samples, {}", flat, text(input).substr(1));
}

std::string seed_setting(std::int64_t first, std::int64_t k) {
  if (first > std::numeric_limits<std::int64_t>::max() - k)
    throw UsageError(fmt::format("--seeds: the seeds from {} on leave the range of integers", first));
  return fmt::format("train.seed={}", first + k);
}

}  // namespace

// "runs/rezero/" -> "rezero", "recipes/fc64-deep.toml" -> "fc64-deep"
std::string short_name(std::string_view path) {
  const fs::path full(absolute(path));
  if (!full.has_filename()) return full.parent_path().filename().string();
  return full.extension() == ".toml" ? full.stem().string() : full.filename().string();
}

void add_source(CLI::App& command, SourceOptions& options) {
  command.add_option("run", options.run, "The folder of a run that `rezero train` made")->type_name("RUN");
  command
      .add_option("--checkpoint", options.checkpoint,
                  "Which weights of the run: a step's number, last (default), best or initial")
      ->type_name("STEP|last|best|initial");
  command.add_option("--recipe", options.recipe, "Instead of a run: a recipe, with the initial weights of its seed")
      ->type_name("FILE.toml");
  command.add_option("--set", options.settings, "A value in place of the recipe's; may be given several times")
      ->type_name("SECTION.KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--weights", options.weights, "Weights under the authors' names, F64, F32, F16 or BF16")
      ->type_name("FILE.safetensors");
  command.add_flag("--ema", options.ema, "The averages of the weights (train.ema) in place of the weights");
}

void add_statistics(CLI::App& command, SourceOptions& options) {
  add_choice(command, "--statistics", options.statistics,
             "Of batch norms: frozen at the running ones (default; initial weights have 0 and 1), or those of the\n"
             "batch, through which the Jacobian goes as well: it is then one of all inputs together",
             {"frozen", "batch"});
}

Source open_source(const SourceOptions& options, DType precision) {
  check_options(options);
  Source source;
  const bool run = !options.run.empty();
  if (run) require_run(options.run);
  source.recipe = completed(run ? load_run_recipe(options.run) : load_recipe(options.recipe, options.settings));
  source.name = short_name(run ? options.run : options.recipe);
  std::string weights;
  if (!options.weights.empty()) {
    weights = options.weights;
  } else if (run) {
    weights = checkpoint_path(options.run, options.checkpoint.empty() ? "last" : options.checkpoint);
  }
  source.model = build_model(source.recipe, precision);
  source.weights =
      weights.empty() ? fmt::format("initial ones of seed {}", source.recipe.train.seed) : absolute(weights);
  if (options.ema) {
    load_averages(weights, *source.model);
    source.weights += " (averages)";
  } else if (!weights.empty()) {
    load_weights(weights, *source.model);
  }
  if (source.model->has_batch_norm()) source.statistics = options.statistics.empty() ? "frozen" : options.statistics;
  if (!options.statistics.empty() && source.statistics.empty())
    throw UsageError("--statistics: the network has no batch norm");
  source.model->set_training(source.statistics == "batch");
  return source;
}

bool initial_weights(const SourceOptions& options) {
  return options.weights.empty() &&
         (options.run.empty() || options.checkpoint == "initial" || options.checkpoint == "0");
}

void for_each_draw(const SourceOptions& options, std::int64_t seeds, DType precision,
                   const std::function<void(std::int64_t, Source&)>& look) {
  std::int64_t first = 0;
  for (std::int64_t k = 0; k < seeds; ++k) {
    SourceOptions draw = options;
    if (k > 0) draw.settings.push_back(seed_setting(first, k));
    Source source = open_source(draw, precision);
    if (k == 0) first = source.recipe.train.seed;
    look(k, source);
  }
}

std::string weights_text(const Source& source, std::int64_t seeds) {
  const std::int64_t seed = source.recipe.train.seed;
  std::string weights =
      seeds == 1 ? source.weights : fmt::format("initial ones of seeds {} to {}", seed, seed + seeds - 1);
  if (source.statistics.empty()) return weights;
  return weights + (source.statistics == "batch" ? ", batch norm with the statistics of these inputs, as one batch"
                                                 : ", batch norm frozen at its running statistics");
}

bool data_fits(const Recipe& recipe, const nn::Model& model) {
  if (recipe.model.is_transformer()) return false;  // Gaussian hidden states, unless --inputs data says otherwise
  const DatasetDescription data = describe_dataset(dataset_options(recipe));
  return !data.known() ||
         (data.image_shape.elements() == model.input_shape().elements() && data.classes == model.outputs());
}

Dataset load_split(const Recipe& recipe, std::string_view split) {
  const auto check_test = [&](bool there) {
    if (split == "test" && !there)
      throw UsageError(fmt::format("--split: {} has no test split (validation or train)", recipe.data.name));
  };
  check_test(dataset_description(recipe.data.name).is_text);
  Recipe cut = recipe;
  if (split != "train") cut.data.train_size = 1;
  if (split != "validation") cut.data.validation_size = 1;
  DataSplits data = load_data(cut);
  check_test(data.test.size() > 0);
  return std::move(split == "train" ? data.train : split == "test" ? data.test : data.validation);
}

Tensor read_inputs(std::string_view path, const nn::Model& model, DType precision) {
  const std::string full = absolute(path);
  const Tensor array = load_npy(path);
  const Shape& shape = array.shape();
  const Shape input = model.input_shape(), features{input.elements()};
  const std::int64_t entries = input.elements();
  const bool one = shape == input || shape == features;
  const bool many = shape.rank() > 0 && (shape.without(0) == input || shape.without(0) == features);
  RZ_CHECK(file, one || many,
           "{}: the network takes arrays of shape {}, or one input without the first axis, but this is {}", full,
           wanted_shapes(input), shape);
  const std::int64_t samples = one ? 1 : shape[0];
  RZ_CHECK(file, samples > 0, "{}: there is no sample in an array of shape {}", full, shape);
  const std::vector<double> values = array.to_vector();
  for (std::size_t i = 0; i < values.size(); ++i) {
    RZ_CHECK(file, std::isfinite(values[i]),
             "{}: entry {} of sample {} is not finite (samples and entries count from 0)", full,
             static_cast<std::int64_t>(i) % entries, static_cast<std::int64_t>(i) / entries);
  }
  return array.to(precision).reshape(input.prepended(samples));
}

void check_target(std::string_view path) {
  struct stat status{};
  if (stat(absolute(path).c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return;
  const FileWriter probe(path);
}

DType precision_named(std::string_view name) {
  if (name == "f32") return DType::f32;
  if (name == "f64") return DType::f64;
  throw UsageError(fmt::format("--precision: '{}' is not known (f32 or f64)", printable(name)));
}

}  // namespace rz::tool
