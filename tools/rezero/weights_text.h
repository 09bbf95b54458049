// What `rezero weights` prints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/shape.h"
#include "data/safetensors.h"
#include "tools/rezero/tensor_file.h"

namespace rz::tool {

struct Weight {
  std::string name, type;  // in the file that was read
  std::string written;     // the type in the file that was written; "" when there is none
  Shape shape;
  double norm = 0;              // square root of the sum of the squares of the finite numbers
  std::int64_t non_finite = 0;  // how many are NaN or infinite
};

struct WeightsList {
  std::string file;
  Metadata metadata;
  std::vector<Weight> weights;
  int beside = 0;       // tensors that were left out because of their names' slash
  std::string written;  // a file, or ""
};

Weight measure(const StoredTensor& stored);
std::string weights_text(const WeightsList& list);  // layers that are alike in one row
std::string weights_json(const WeightsList& list);  // every tensor

}  // namespace rz::tool
