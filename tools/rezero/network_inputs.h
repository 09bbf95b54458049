// The inputs at which a command analyses a network: --input FILE.npy, or --inputs data|gaussian; --samples N.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/tensor.h"
#include "nn/models/transformer.h"
#include "tools/rezero/source.h"

namespace CLI {
class App;
}

namespace rz::tool {

struct InputOptions {
  std::string input, inputs;  // empty: not given
  std::int64_t samples = 0;   // 0: not given
  std::int64_t tokens = 0;    // of an example of a Transformer; 0: model.context
};
void add_inputs(CLI::App& command, InputOptions& options);
void check_inputs(const InputOptions& options);  // what needs no file.   Throws: UsageError

struct Inputs {
  Tensor values;  // [samples, ...input_shape], or of a model of tokens also [samples, ...state_shape], on the host
  nn::HeldInputs held{};
  std::string text;  // "10 images of shapes validation"
};
// Throws: file, UsageError (more samples than there are).
Inputs open_inputs(const InputOptions& options, const Source& source, DType precision);

// Gives the model what is held and calls look(values, first) with all inputs, or with one after the other where masks
// or memory differ from example to example.
void for_each_held(nn::Model& model, const Inputs& inputs,
                   const std::function<void(const Tensor& values, std::int64_t first)>& look);

}  // namespace rz::tool
