// Files of named tensors as `rezero weights` reads and writes them: safetensors and npz, told apart by their contents.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/named_tensor.h"
#include "data/safetensors.h"

namespace rz::tool {

struct StoredTensor {
  std::string name;
  std::string type;  // in the file: f64 f32 f16 bf16 i64 i32 u8 bool; an npz file's are those of `tensor`
  Tensor tensor;     // f16 is f32 here, bool is u8
};

// Calls `take` for each tensor in the order of the file, of which only one is in memory at a time (npz: all of them).
// Returns the metadata, whose checksum agrees if there is one.   Throws: file
Metadata read_tensor_file(std::string_view path, const std::function<void(StoredTensor)>& take);

enum class TensorFormat { safetensors, npz };
TensorFormat format_of_target(std::string_view path);  // by its ending.   Throws: UsageError

// The type that the file will hold for a tensor: npz has no bf16, it becomes f32.
DType written_type(TensorFormat format, DType dtype);
// Atomically, in the types of written_type.   Throws: file, value
void write_tensor_file(std::string_view path, std::span<const NamedTensor> tensors, const Metadata& metadata);

}  // namespace rz::tool
