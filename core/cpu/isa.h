// Which instruction set this process uses: the best that the processor has, or the one that REZERO_ISA names. Chosen
// once, at first use. The two best differ from avx512 in products of lower precision (core/precision.h) alone.
#pragma once

#include <string>

#include "core/cpu/kernels/kernels.h"
#include "core/precision.h"

namespace rz::cpu {

// Throws: value (REZERO_ISA names no set, or one that the processor lacks), device (older than x86-64-v2).
const Kernels& kernels();
const GemmKernels* products_in(ProductPrecision precision);  // null: f32's kernels multiply, or OpenBLAS
std::string missing_for(ProductPrecision precision);         // as Backend's

}  // namespace rz::cpu

namespace rz {

// "baseline", "avx2", "avx512", "avx512_bf16", "amx".   Throws: as kernels()
const char* cpu_isa();
const char* cpu_kernels();  // the set of all plain kernels: that or, of the last two, "avx512"
std::string cpu_model();    // "AMD EPYC 9654 96-Core Processor"; "CPU" where the system does not say

}  // namespace rz
