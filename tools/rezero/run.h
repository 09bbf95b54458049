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

bool is_run(std::string_view directory);                 // it holds a recipe.toml
void require_run(std::string_view directory);            // Throws: file (no such folder; not a run)
Recipe load_run_recipe(std::string_view directory, std::span<const std::string> settings = {});  // Throws: file, UsageError

// Makes the folders and writes recipe.toml and run.json. An empty folder may exist already.
// Throws: UsageError (there is a run already: hint --resume; the folder holds other things), file.
void create_run(const RunPaths& paths, const Recipe& recipe, const DataSplits& data);
// Writes recipe.toml and run.json anew, for a resumed run.
void write_run_files(const RunPaths& paths, const Recipe& recipe, const DataSplits& data);

// A checkpoint of a run by name: "last", "best", "initial" or a step's number.   Throws: file (lists those that are there)
std::string checkpoint_path(std::string_view directory, std::string_view which);

// "threads: 2 of 2 cores, avx512, cpu AMD EPYC 9654"
std::string machine_line();
// Linked BLAS with its version, "OpenBLAS 0.3.21 (SkylakeX)".
std::string blas_text();
// "rezero 0.1.0 (commit 0123456789ab, GNU 12.2.0)"
std::string version_text();

}  // namespace rz::tool
