// Random inputs of tests, the same in every run unless REZERO_TEST_SEED says otherwise.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/random.h"
#include "core/tensor.h"

namespace rz::test {

std::uint64_t seed();  // main.cpp

// N(0, 1), from a stream of this name.
inline Tensor normal_input(const Shape& shape, std::string_view stream, DType dtype = DType::f64, Device device = {}) {
  Random random(seed(), stream_named(stream));
  return normal_tensor(shape, random, dtype, device);
}

}  // namespace rz::test
