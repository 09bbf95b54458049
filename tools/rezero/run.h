// The run directory: recipe.toml, run.json, metrics.jsonl and checkpoints/.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "data/dataset.h"
#include "tools/rezero/recipe.h"

namespace rz::tool {

struct RunPaths {
  explicit RunPaths(std::string_view directory);
  std::string directory, recipe, information, metrics, checkpoints;  // absolute
};

bool is_run(std::string_view directory);       // it holds a recipe.toml
void require_run(std::string_view directory);  // Throws: file (no such folder; not a run)
Recipe load_run_recipe(std::string_view directory,
                       std::span<const std::string> settings = {});  // Throws: file, UsageError

void check_new_run(const RunPaths& paths);  // Throws: UsageError (a run is there already: hint --resume)
// Makes the folders of a new run; there may be empty ones already.   Throws: as check_new_run, file
void make_run_folders(const RunPaths& paths);
// recipe.toml and run.json, of a new run or of one that goes on.   Throws: file
void write_run_files(const RunPaths& paths, const Recipe& recipe, const DataSplits& data);
// Throws: file (the training data are not those of the run)
void check_same_data(const RunPaths& paths, const DataSplits& data);
// Whether a run can go on here bit for bit: the data must be the same; another instruction set is worth a warning,
// which is returned. Throws: file (the data has changed)
std::string check_resumable(const RunPaths& paths, const DataSplits& data);

// Held while a run is trained: two programs must not write into one folder.
class RunLock {
 public:
  explicit RunLock(const RunPaths& paths);  // Throws: file (another program holds it)
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_ = -1;
};

// A checkpoint of a run by name: "last", "best", "initial" or a step's number.   Throws: file (lists those that are
// there)
std::string checkpoint_path(std::string_view directory, std::string_view which);

// "threads: 2 of 2 cores, avx512, cpu AMD EPYC 9654"
std::string machine_line();
// Linked BLAS with its version, "OpenBLAS 0.3.21 (SkylakeX)".
std::string blas_text();
// "rezero 0.1.0 (commit 0123456789ab, GNU 12.2.0)"
std::string version_text();

}  // namespace rz::tool
