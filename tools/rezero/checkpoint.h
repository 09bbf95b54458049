// Checkpoints: weights and all that a run needs to go on bit for bit, as safetensors. Parameters stand under the
// authors' names; everything else has a name with a slash, which load_weights (load_weights.h) passes over:
//   optimizer/SLOT/NAME         per parameter; the slot ema holds the averages of the weights
//   loader/epoch, loader/position, random/seed            i64 [1]
//   train/step, train/epoch_*, train/best_*               i64 or f64 [1]
// The metadata name the residual form: files of another one may have the same names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nn/module.h"

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
  std::int64_t epoch_correct = 0, epoch_predictions = 0;  // labels that counted
  // By validation: the highest accuracy, then the lowest loss, of texts the lowest loss; -1: none yet.
  std::int64_t best_step = -1;
  double best_accuracy = -1, best_loss = 0;
};

void save_checkpoint(std::string_view path, nn::Model& model, const TrainState& state);  // Throws: file
std::uint64_t checkpoint_bytes(nn::Model& model);
// Into a built model whose optimiser slots exist (Optimizer::prepare); an error leaves it as it was. Takes no more
// memory than the largest tensor.   Throws: file (damaged, not of this model, not finite)
TrainState load_checkpoint(std::string_view path, nn::Model& model);

std::vector<std::int64_t> checkpoint_steps(std::string_view folder);      // of its step-N.safetensors, ascending
std::string checkpoint_file(std::string_view folder, std::int64_t step);  // FOLDER/step-N.safetensors
// Deletes all but the last `keep` (CheckpointRecipe::all: nothing), the best and the initial one.
void remove_checkpoints(std::string_view folder, std::int64_t keep, std::int64_t best_step);

}  // namespace rz::tool
