// The network that a subcommand analyses: RUN [--checkpoint STEP|last|best|initial], or --recipe R [--set ...]...; with
// --weights FILE its parameters come from a file, with --ema they are the averages that the file holds. Also the inputs
// it is given: images, opened only when wanted, or arrays of .npy files.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "nn/module.h"
#include "tools/rezero/recipe.h"

namespace CLI {
class App;
}

namespace rz::tool {

struct SourceOptions {
  std::string run, checkpoint, recipe, weights;  // empty: not given
  std::vector<std::string> settings;
  std::string statistics;  // of batch norms: "frozen" or "batch"; empty: frozen
  bool ema = false;
};
void add_source(CLI::App& command, SourceOptions& options);
void add_statistics(CLI::App& command, SourceOptions& options);

struct Source {
  Recipe recipe;
  std::string name;                  // of the run's folder or of the recipe, for titles
  std::string weights;               // "initial ones of seed 1", or the file they were read from
  std::string statistics;            // of batch norms: "frozen" or "batch"; "": there are none
  std::unique_ptr<nn::Model> model;  // on the recipe's device, in evaluation mode but for statistics of the batch
};
// Weights are read in their own type and rounded at most once, to `precision`.
// Throws: file; UsageError (not one of RUN and --recipe; --checkpoint without RUN or with --weights; --set with RUN;
// --ema without a file; --statistics without batch norms).
Source open_source(const SourceOptions& options, DType precision);

// Weights as they are drawn, not trained or read.
bool initial_weights(const SourceOptions& options);
inline constexpr const char* trained_weights =
    "it is that of random weights, and these are trained or read from a file";
// look(k, source) for k = 0 ... seeds - 1: the network with its weights drawn of the recipe's seed + k.
// Throws: what open_source does; UsageError (a seed beyond 2^63)
void for_each_draw(const SourceOptions& options, std::int64_t seeds, DType precision,
                   const std::function<void(std::int64_t, Source&)>& look);
// What is said of `seeds` draws, and of the statistics of their batch norms.
std::string weights_text(const Source& source, std::int64_t seeds);

// The [data] of the recipe has inputs and classes of the model's sizes. Of npy and csv it is assumed.
bool data_fits(const Recipe& recipe, const nn::Model& model);

// "train", "validation" or "test" (where there is one) of the recipe's data; of the others no more than one example is
// made.
// Throws: file, UsageError.
Dataset load_split(const Recipe& recipe, std::string_view split);

// A .npy file as inputs of the model, [samples, ...input_shape], used as it is. The file holds [samples, features],
// [samples, ...input_shape], or one input without the first axis.
// Throws: file (unreadable, of another shape, no sample, a value that is not finite).
Tensor read_inputs(std::string_view path, const nn::Model& model, DType precision);

// The last part of a path, for titles: "runs/rezero/" -> "rezero", "recipes/fc64-deep.toml" -> "fc64-deep".
std::string short_name(std::string_view path);

// Throws now what writing the file later would, so that nothing is computed in vain. Pipes and devices are left alone.
void check_target(std::string_view path);  // Throws: file

// "f32" or "f64".   Throws: UsageError.
DType precision_named(std::string_view name);

}  // namespace rz::tool
