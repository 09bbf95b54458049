// What the cores of this machine can do at most, measured with the instruction set that the kernels use
// (core/cpu/isa.h), on all threads in use: a rate per round. The best of several rounds is the roof of other
// measurements.
#pragma once

#include <cstddef>
#include <vector>

#include "core/dtype.h"

namespace rz::tool {

// Multiply-adds on registers alone: FLOP/s in processor time, rounds of about 2 ms. What else runs on the machine does
// not lower it, unlike the times that it is compared with.
std::vector<double> fma_rates(DType dtype, int rounds);
double fma_peak(DType dtype);  // the best of 15 rounds

// Bytes per second over memory of so many bytes in all, an equal part per thread.
std::vector<double> read_rates(std::size_t bytes, int rounds);    // sum of x
std::vector<double> update_rates(std::size_t bytes, int rounds);  // x = a x: read and written, both counted

// Sizes at which bandwidths are measured: what a core's own cache holds or nearly holds, and what no cache does.
inline constexpr std::size_t cache_bytes_per_thread = std::size_t{1} << 20, memory_bytes = std::size_t{1} << 28;

}  // namespace rz::tool
