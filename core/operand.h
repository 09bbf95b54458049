// What a kernel sees: a pointer, a shape and a dtype. Device addresses; only a Backend may follow them.
#pragma once

#include "core/dtype.h"
#include "core/shape.h"

namespace rz {

struct Operand {
  const void* data = nullptr;
  Shape shape;
  DType dtype = DType::f32;
};

struct Target {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::f32;
  bool accumulate = false;  // add to the contents instead of overwriting them
};

}  // namespace rz
