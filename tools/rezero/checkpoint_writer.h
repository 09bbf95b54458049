// Writes the checkpoints of a run, keeps the links last, best and initial beside them, and removes what the recipe does
// not keep.
#pragma once

#include <cstdint>
#include <string>

#include "tools/rezero/checkpoint.h"
#include "tools/rezero/run.h"

namespace rz::tool {

class CheckpointWriter {
 public:
  CheckpointWriter(const RunPaths& paths, std::int64_t keep) : folder_(paths.checkpoints), keep_(keep) {}

  // A write that fails is tried again after a pause. False: in vain, reason() tells why.
  bool write(nn::Model& model, const TrainState& state);
  void link(const TrainState& state) const;  // Throws: file
  const std::string& reason() const { return reason_; }
  std::int64_t written() const { return written_; }  // the last step written, -1: none
  void set_written(std::int64_t step) { written_ = step; }

 private:
  std::string folder_, reason_;
  std::int64_t keep_, written_ = -1;
};

}  // namespace rz::tool
