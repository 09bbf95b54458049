// The checks of `rezero doctor`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rz::tool {

enum class CheckStatus { passed, failed, missing };  // missing: not installed, and only pictures need it
std::string_view name(CheckStatus status);           // "passed", "FAILED", "missing"

struct Check {
  std::string name;
  CheckStatus status = CheckStatus::failed;
  std::string text;            // what was checked, or what is wrong
  std::vector<double> losses;  // of a training, per step
  std::string bits;            // the row for reference_training.cpp
};

// About 10 s. An exception of a check is its failure.
std::vector<Check> run_checks();

}  // namespace rz::tool
