// The variant's table of tables.
#include "core/cpu/kernels/variant.h"

#define RZ_JOIN_(a, b) a##b
#define RZ_JOIN(a, b) RZ_JOIN_(a, b)
#define RZ_TEXT_(a) #a
#define RZ_TEXT(a) RZ_TEXT_(a)

namespace rz::cpu {

constinit const Kernels RZ_JOIN(kernels_, RZ_ISA) = {
    .name = RZ_TEXT(RZ_ISA),
    .scalar = RZ_ISA::scalar_kernels,
    .elementwise = &RZ_ISA::elementwise_kernels,
    .reduce = &RZ_ISA::reduce_kernels,
    .move = &RZ_ISA::move_kernels,
    .softmax = &RZ_ISA::softmax_kernels,
    .norm = &RZ_ISA::norm_kernels,
    .random = &RZ_ISA::random_kernels,
    .optimizer = &RZ_ISA::optimizer_kernels,
    .residual = &RZ_ISA::residual_kernels,
    .gemm = &RZ_ISA::gemm_kernels,
    .attention = &RZ_ISA::attention_kernels,
    .convolution = &RZ_ISA::convolution_kernels,
    .batch_norm = &RZ_ISA::batch_norm_kernels,
};

}  // namespace rz::cpu
