// From a recipe to the objects that it describes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/device.h"
#include "data/dataset.h"
#include "nn/module.h"
#include "tools/rezero/recipe.h"

namespace rz::tool {

// The model with initial weights from train.seed, in `precision` (default: the recipe's) on the recipe's device. Needs
// no data set. Throws: UsageError.
std::unique_ptr<nn::Model> build_model(const Recipe& recipe, std::optional<DType> precision = {});
// Without weights: for summaries. parameters().build() has not been called. Of a recipe that is not complete, one input
// and one output stand in: for checking the rest.
std::unique_ptr<nn::Model> declare_model(const Recipe& recipe);

// Both splits, cut to data.train_size and data.validation_size, and checked against the model's inputs and outputs
// where the recipe has them: before the data are read, where the data set's description tells. Throws: file, UsageError
DataSplits load_data(const Recipe& recipe);

// Whether the recipe has inputs and outputs. If not, its data set must be opened first, and fill_in takes them from it.
bool is_complete(const Recipe& recipe);
void fill_in(Recipe& recipe, const DataSplits& data);
// The recipe with its inputs and outputs; opens the data set if it must.   Throws: as load_data
Recipe completed(Recipe recipe);

// The table of parameters (name, shape, parameters, role; equal layers in one row: linear_layers.{0..63}.weight), then
// the formula, the optimiser with its numbers, and the total.
std::string model_summary(const Recipe& recipe, const nn::Model& model);

}  // namespace rz::tool
