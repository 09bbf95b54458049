#include "tools/rezero/checkpoint_writer.h"

#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include "core/error.h"
#include "data/file.h"

namespace rz::tool {

bool CheckpointWriter::write(nn::Model& model, const TrainState& state) {
  constexpr std::chrono::milliseconds pauses[] = {std::chrono::milliseconds(0), std::chrono::milliseconds(100),
                                                  std::chrono::milliseconds(400)};
  for (const auto pause : pauses) {
    std::this_thread::sleep_for(pause);
    try {
      save_checkpoint(checkpoint_file(folder_, state.step), model, state);
      link(state);
      remove_checkpoints(folder_, keep_, state.best_step);
      written_ = state.step;
      return true;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::file) throw;
      reason_ = error.message();
    }
  }
  return false;
}

void CheckpointWriter::link(const TrainState& state) const {
  const auto to = [&](const std::string& name, std::int64_t step) {
    std::error_code error;
    if (std::filesystem::exists(checkpoint_file(folder_, step), error))
      link_atomically(folder_ + "/" + name + ".safetensors", "step-" + std::to_string(step) + ".safetensors");
  };
  if (state.step == 0) to("initial", 0);
  to("last", state.step);
  if (state.best_step >= 0) to("best", state.best_step);
}

}  // namespace rz::tool
