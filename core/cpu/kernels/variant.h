// For kernel files alone: each is compiled once per instruction set, with RZ_ISA defined as the variant's name. What a
// file defines stands in an unnamed namespace, but for its table, which stands in the namespace of the variant (see
// core/isa.h for the reason). No static constructors: they would run before anybody knows what the processor can do.
#pragma once

#include "core/cpu/kernels/kernels.h"

#ifndef RZ_ISA
#error "core/cpu/kernels is compiled by rezero_kernels() in cmake/RezeroLibrary.cmake"
#endif

// Before a loop whose iterations touch nothing of each other's, though arrays may be the same memory (y = f(y)).
#if defined(__clang__)
#define RZ_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#pragma clang diagnostic ignored "-Wpass-failed"  // a loop over the C library's functions stays as it is
#else
#define RZ_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace rz::cpu::RZ_ISA {

extern const ScalarKernel scalar_kernels[];
extern const ElementwiseKernels elementwise_kernels;
extern const ReduceKernels reduce_kernels;
extern const MoveKernels move_kernels;
extern const SoftmaxKernels softmax_kernels;
extern const NormKernels norm_kernels;
extern const RandomKernels random_kernels;
extern const OptimizerKernels optimizer_kernels;
extern const ResidualKernels residual_kernels;
extern const GemmKernels gemm_kernels;
extern const AttentionKernels attention_kernels;
extern const ConvolutionKernels convolution_kernels;
extern const BatchNormKernels batch_norm_kernels;

}  // namespace rz::cpu::RZ_ISA
