// Which variant of the kernels this process runs: the best that the processor has, or the one that REZERO_ISA names.
// Chosen once, at first use.
#pragma once

#include <string>

#include "core/cpu/kernels/kernels.h"

namespace rz::cpu {

// Throws: value (REZERO_ISA is not baseline, avx2 or avx512, or the processor lacks it), device (older than x86-64-v2).
const Kernels& kernels();

}  // namespace rz::cpu

namespace rz {

const char* cpu_isa();    // "baseline", "avx2", "avx512".   Throws: as kernels()
std::string cpu_model();  // "AMD EPYC 9654 96-Core Processor"; "CPU" where the system does not say

}  // namespace rz
