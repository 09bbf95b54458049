// What the cores of this machine can do at most, measured with the instruction set that the kernels use
// (core/cpu/isa.h).
#pragma once

#include <cstddef>

#include "core/dtype.h"

namespace rz::tool {

// Multiply-adds on registers alone, on all threads in use: FLOP/s in processor time, the best of `rounds` rounds of
// about 2 ms. What else runs on the machine does not lower it, unlike the times that it is compared with.
double fma_peak(DType dtype, int rounds = 15);

// Bytes per second over memory of so many bytes in all, an equal part per thread in use; the best of `rounds` rounds.
double read_bandwidth(std::size_t bytes, int rounds = 8);          // sum of x
double update_bandwidth(std::size_t bytes, int rounds = 8);        // x = a x: read and written, both counted
inline constexpr std::size_t memory_bytes = std::size_t{1} << 28;  // beyond all caches

}  // namespace rz::tool
