// Code that is compiled once per instruction set (core/cpu/kernels) must not share inline functions between the
// variants: the linker would keep one body for all, possibly with instructions that the machine lacks. In those files
// RZ_ISA is defined and everything between RZ_ISA_BEGIN and RZ_ISA_END is local to the file; elsewhere it is an
// ordinary namespace.
#pragma once

#ifdef RZ_ISA
#define RZ_ISA_BEGIN namespace {
#else
#define RZ_ISA_BEGIN inline namespace portable {
#endif
#define RZ_ISA_END }

// Before a function of one number that a GPU may call; in kernels it must vanish in the loop that calls it, or the loop
// is not vectorised.
#ifdef __CUDACC__
#define RZ_HOST_DEVICE __host__ __device__
#elif defined(RZ_ISA)
#define RZ_HOST_DEVICE [[gnu::always_inline]]
#else
#define RZ_HOST_DEVICE
#endif
