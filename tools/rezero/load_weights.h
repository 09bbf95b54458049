// Reading tensors from a safetensors file straight to where they belong, one at a time in memory.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/parameter.h"
#include "data/safetensors.h"
#include "nn/module.h"

namespace rz::tool {

bool is_parameter_name(std::string_view name);  // it has no slash

struct Assignment {
  const SafetensorsEntry* entry = nullptr;
  Tensor destination;     // converted to its type
  bool is_weight = true;  // its numbers must be finite
};

// Every parameter of the store from the names in the file that begin with `prefix` and have no slash after it. Strict:
// every missing, unexpected or misshaped name is listed in one error, and a prefix such as "module." that all names
// share too many is named; of a buffer longer in the file the first rows are taken. Types are F64, F32, F16 and BF16.
// No tensor is read yet.   Throws: file
std::vector<Assignment> weight_assignments(const SafetensorsFile& file, const ParameterStore& store,
                                           std::string_view prefix = {});

// Reads the file twice: to check it, then into the destinations, so that an error leaves all as it was.
// Throws: file (damaged, a weight that is not finite)
void assign(const SafetensorsFile& file, std::span<const Assignment> assignments);

// The key of a file's metadata that names the residual form, and what stands there: Model::formula() without the
// values that its constants start with. Files of others have none.
inline constexpr const char* form_key = "form";
std::string form_text(const nn::Model& model);
void check_form(const SafetensorsFile& file, const nn::Model& model);  // Throws: file (it is of another one)

// All parameters; names with a slash are passed over.   Throws: file
void load_weights(std::string_view path, const nn::Model& model);
// The same from the averages of the weights in a checkpoint.   Throws: file (it holds none)
void load_averages(std::string_view path, const nn::Model& model);

}  // namespace rz::tool
