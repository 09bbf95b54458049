// reverse: a task for models that read one sequence and write another, made by the program: repeat random symbols
// backwards. Example i is a function of (options but the sizes, i) alone.
//   input:  s_1 ... s_n <start> s_n ... s_2   [2 length]
//   labels:                     s_n ... s_1   [length], of its last positions
#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace rz {

struct ReverseOptions {
  std::uint64_t seed = 1;
  // Examples: indices 0 ... train - 1, and 2^40 ... 2^40 + validation - 1.
  std::int64_t train = 20000;
  std::int64_t validation = 1000;
  std::int64_t length = 20;
  std::int64_t symbols = 10;  // named "0", "1", ...; the vocabulary has <start> in addition
};

void check_reverse_options(const ReverseOptions& options);    // Throws: value (an option out of its range)
DataSplits make_reverse(const ReverseOptions& options = {});  // Throws: as above

}  // namespace rz
