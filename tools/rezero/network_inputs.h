// The inputs at which a command analyses a network: --input FILE.npy, or --inputs data|gaussian; --samples N.
#pragma once

#include <cstdint>
#include <string>

#include "core/tensor.h"
#include "tools/rezero/source.h"

namespace CLI {
class App;
}

namespace rz::tool {

struct InputOptions {
  std::string input, inputs;  // empty: not given
  std::int64_t samples = 0;   // 0: not given
};
void add_inputs(CLI::App& command, InputOptions& options);
void check_inputs(const InputOptions& options);  // what needs no file.   Throws: UsageError

struct Inputs {
  Tensor values;     // [samples, ...input_shape], on the host
  std::string text;  // "10 images of shapes validation"
};
// Throws: file, UsageError (more samples than there are).
Inputs open_inputs(const InputOptions& options, const Source& source, DType precision);

}  // namespace rz::tool
