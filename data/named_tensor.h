// What files of tensors hold: tensors with names.
#pragma once

#include <string>

#include "core/tensor.h"

namespace rz {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

}  // namespace rz
