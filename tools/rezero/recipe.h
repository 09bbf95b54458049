// Recipe: everything that determines a run, read from TOML and `--set`. One table of keys (recipe_keys.cpp) drives
// reading, defaults, messages and writing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/precision.h"
#include "data/augment.h"
#include "data/datasets.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

namespace rz::tool {

struct ModelRecipe {
  std::string family = "fc";
  std::string form = "rezero";
  std::int64_t depth = 32, width = 256;                        // fc, cnn
  std::int64_t layers = 12;                                    // Transformers; of ResNets 20, or 18 with pre-activation
  std::int64_t d_model = 512, heads = 8, feed_forward = 2048;  // Transformers
  std::string gates = "layer";                                 // or "sublayer"
  bool final_norm = false;
  std::int64_t context = 0;  // positions, or tokens of an example; 0: data.context, or 16 of encoder and decoder
  std::string positions = "sinusoidal";  // or "learned"
  bool tie_weights = false;
  std::string activation = "relu";
  std::optional<double> negative_slope;  // of leaky_relu
  std::string branch;                    // empty: the form's
  std::vector<double> gate;              // empty: the form's; one for all layers, or one per layer
  std::string gate_shape;                // scalar or vector; empty: the form's
  bool train_gates = true;
  std::string norm;                          // kind of norm of forms with one; of ResNets batch or none
  std::optional<double> norm_gain;           // start of its gain
  std::optional<double> branch_k, branch_p;  // of branch_scale
  std::vector<double> skip, injection;       // of residual_scalars, as gate
  double dropout = 0;                        // of branches
  std::string init = "authors";
  std::string weights = "gaussian";  // of mean_field
  std::optional<double> sigma_w, sigma_b;
  std::vector<std::int64_t> inputs;  // shape of one example; empty: the data set's, once it is open
  std::int64_t outputs = 0;          // 0: the data set's classes, once it is open

  bool is_fc() const { return family == "fc"; }
  bool is_resnet() const { return family == "resnet" || family == "preact_resnet"; }
  bool takes_images() const { return is_resnet() || family == "cnn"; }  // [channels, height, width]
  bool takes_numbers() const { return is_fc() || takes_images(); }      // of data with a label each
  bool takes_tokens() const { return family == "char_transformer" || family == "seq2seq"; }
  bool is_transformer() const { return !takes_numbers(); }
  bool has_depth() const { return is_fc() || family == "cnn"; }
  // Layers that a residual form joins: blocks of ResNets.
  std::int64_t layer_count() const {
    if (has_depth()) return depth;
    if (family == "preact_resnet") return layers == 18 ? 8 : 16;
    return family == "resnet" ? (layers - 2) / 2 : layers;
  }
  // Channels of the first layer, where there are several widths.
  std::int64_t layer_width() const {
    return has_depth() ? width : family == "resnet" ? 16 : family == "preact_resnet" ? 64 : d_model;
  }
};

struct DataRecipe {
  std::string name = "shapes";
  std::string path;             // relative to the current directory
  std::int64_t train_size = 0;  // the first so many examples; 0: all
  std::int64_t validation_size = 0;
  ShapesOptions shapes;                    // its sizes are those above
  std::string labels = "fine";             // or "coarse": of cifar100
  CsvColumn label_column{};                // of csv
  std::string normalisation = "notebook";  // of images of bytes, by name: data/normalisation.h
  AugmentOptions augment;                  // of the images that a training step sees
  TextOptions text;                        // of texts; data.level is that of "text" alone
  ReverseOptions reverse;                  // its sizes are those above
};

struct TrainRecipe {
  std::int64_t epochs = 0;  // 0: no limit (then there are steps). Default: 10, or 0 when steps are given
  std::int64_t steps = 0;   // 0: no limit
  std::int64_t batch_size = 100;
  std::string memory;              // of a step, such as "8GB"; empty: no limit. Of ResNets
  std::int64_t micro_batches = 1;  // parts of a batch, whose gradients are added up: memory of one part
  std::int64_t seed = 1;
  std::int64_t threads = 0;  // 0: all cores
  std::string device = "cpu";
  DType precision = DType::f32;                       // or f64
  ProductPrecision products = ProductPrecision::f32;  // or high, bf16; of f64 plain
  double label_smoothing = 0;
  double ema = 0;  // decay of the average of the weights, which validation then uses; 0: none
  std::int64_t log_every = 10;
  bool monitor = true;  // writes what moved in the logged steps
};

struct CheckpointRecipe {
  static constexpr std::int64_t all = -1;
  std::int64_t every = 0;  // steps; 0: an epoch
  std::int64_t keep = 1;   // the last so many, beside the best and the initial one; or all
};

struct Recipe {
  ModelRecipe model;
  DataRecipe data;
  optim::OptimizerOptions optimizer;
  // optimizer.base_depth, of branch_scale: optimizer.layers follows from it by CompleteP's rule.
  std::optional<std::int64_t> base_depth;
  optim::ScheduleOptions schedule;
  TrainRecipe train;
  CheckpointRecipe checkpoint;
};

std::string_view precision_text(const TrainRecipe& train);  // as the recipe spells both: "f32", "f64", "high", "bf16"

// `settings`: the arguments of --set, "section.key=value", later ones win. `file_name` opens messages:
// FILE:LINE:COLUMN: ... What can be known from the recipe alone is checked and filled in (inputs, outputs and sizes
// from the data set's description, epochs). Of npy and csv, which nobody knows before they are open, model.inputs and
// model.outputs stay empty and 0 (model.h fills them in). Throws: UsageError; load_recipe also file.
Recipe parse_recipe(std::string_view toml, std::string_view file_name, std::span<const std::string> settings = {});
Recipe load_recipe(std::string_view path, std::span<const std::string> settings = {});

DatasetOptions dataset_options(const Recipe& recipe);
// What every command that decodes images of the recipe's data takes.
Normalisation normalisation_of(const Recipe& recipe);

// The keys that the recipe uses with their values: reading it again gives the same recipe.
std::string to_toml(const Recipe& recipe);

// The section's keys that the recipe uses, but for its name: "learning_rate 0.001, weight_decay 0, beta1 0.9, ...".
std::string settings_text(const Recipe& recipe, std::string_view section);
// A line per optimiser (section "optimizer") or schedule ("schedule"): its name, its keys and their defaults.
std::string choices_text(std::string_view section);

// "model.depth" and so on, in the order of to_toml.
std::vector<std::string> recipe_keys();
std::vector<std::string_view> model_families();  // what model.family can be
// The keys in which two recipes differ.
std::vector<std::string> differing_keys(const Recipe& a, const Recipe& b);
// Whether one of `settings` sets this key.
bool is_set(std::span<const std::string> settings, std::string_view key);

}  // namespace rz::tool
