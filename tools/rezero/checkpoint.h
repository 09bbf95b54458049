// Checkpoints: weights and all that a run needs to go on bit for bit, as safetensors. Parameters stand under the
// authors' names; everything else has a name with a slash, which load_weights passes over:
//   optimizer/SLOT/NAME         per parameter; the slot ema holds the averages of the weights
//   loader/epoch, loader/position, random/seed            i64 [1]
//   train/step, train/epoch_*, train/best_*               i64 or f64 [1]
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/parameter.h"
#include "data/named_tensor.h"
#include "data/safetensors.h"

namespace rz::tool {

struct TrainState {
  std::int64_t step = 0;      // done
  std::int64_t epoch = 0;     // of the next batch, from 0
  std::int64_t position = 0;  // of the next batch in it
  std::int64_t seed = 0;
  double seconds = 0;           // of training
  std::int64_t peak_bytes = 0;  // of memory, of any step
  // Of the steps of the running epoch so far.
  double epoch_loss_sum = 0;  // of step means
  std::int64_t epoch_steps = 0;
  std::int64_t epoch_correct = 0, epoch_examples = 0;
  // By validation: the highest accuracy, then the lowest loss; -1: none yet.
  std::int64_t best_step = -1;
  double best_accuracy = -1, best_loss = 0;
};

void save_checkpoint(std::string_view path, ParameterStore& store, const TrainState& state);  // Throws: file
std::uint64_t checkpoint_bytes(ParameterStore& store);
// Into a built store whose optimiser slots exist (Optimizer::prepare).   Throws: file (damaged, not of this model, not
// finite)
TrainState load_checkpoint(std::string_view path, ParameterStore& store);

// Strict: every missing, unexpected or misshaped name is listed in one error, and a prefix such as "module." that all
// names share too many is named. F64, F32, F16 and BF16 are converted to the store's type; other types and values that
// are not finite are refused by name. Names with a slash are passed over.   Throws: file
void load_weights(std::string_view path, ParameterStore& store);
// The same for the averages of the weights in a checkpoint.   Throws: file (it holds none)
void load_averages(std::string_view path, ParameterStore& store);
bool is_parameter_name(std::string_view name);  // it has no slash
void assign_weights(const SafetensorsContents& contents, std::string_view what, ParameterStore& store);

std::vector<std::int64_t> checkpoint_steps(std::string_view folder);      // of its step-N.safetensors, ascending
std::string checkpoint_file(std::string_view folder, std::int64_t step);  // FOLDER/step-N.safetensors
// Deletes all but the last `keep` (CheckpointRecipe::all: nothing), the best and the initial one.
void remove_checkpoints(std::string_view folder, std::int64_t keep, std::int64_t best_step);

}  // namespace rz::tool
