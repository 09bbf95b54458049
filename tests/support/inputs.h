// Inputs of tests; the random ones are the same in every run unless REZERO_TEST_SEED says otherwise.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "core/tensor.h"

namespace rz::test {

std::uint64_t seed();  // main.cpp

inline constexpr DType real_types[] = {DType::f32, DType::f64};

// N(0, 1), from a stream of this name.
inline Tensor normal_input(const Shape& shape, std::string_view stream, DType dtype = DType::f64, Device device = {}) {
  Random random(seed(), stream_named(stream));
  return normal_tensor(shape, random, dtype, device);
}

inline Tensor matrix(std::int64_t m, std::int64_t n, const std::vector<double>& values, DType dtype = DType::f64) {
  return Tensor::of({m, n}, values, dtype);
}

}  // namespace rz::test
