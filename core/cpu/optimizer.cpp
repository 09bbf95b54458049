#include <cmath>

#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

namespace {

using UpdateKernel = void (*)(const UpdateBlock&);

void update(UpdateKernel kernel, const UpdateOptions& options, const Operand& state, const Operand& gradient,
            const Target& value, const Target& slot) {
  const double* s = static_cast<const double*>(state.data);
  if (!std::isfinite(s[state_gradient_scale])) return;
  const DType type = value.dtype;
  for_ranges(type, value.shape.elements(), grain, [&](std::int64_t begin, std::int64_t end) {
    kernel({.gradient = at(gradient.data, begin, type),
            .value = at(value.data, begin, type),
            .slot = slot.data ? at(slot.data, begin, type) : nullptr,
            .n = end - begin,
            .rate = options.rate_factor * s[state_rate],
            .gradient_scale = s[state_gradient_scale],
            .weight_decay = options.weight_decay,
            .momentum = options.momentum,
            .eps = options.eps,
            .nesterov = options.nesterov});
  });
}

}  // namespace

void CpuBackend::sgd(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
                     const Target& momentum) {
  update(kernels_.optimizer->sgd[real_index(value.dtype)], options, state, gradient, value, momentum);
}

void CpuBackend::adagrad(const UpdateOptions& options, const Operand& state, const Operand& gradient,
                         const Target& value, const Target& sum) {
  update(kernels_.optimizer->adagrad[real_index(value.dtype)], options, state, gradient, value, sum);
}

void CpuBackend::clip_scale(const Operand& sum_of_squares, double max_norm, const Target& state) {
  double* const s = static_cast<double*>(state.data);
  const double norm = std::sqrt(*static_cast<const double*>(sum_of_squares.data));
  const double scale = max_norm > 0 && norm > max_norm ? max_norm / norm : 1;
  s[state_gradient_norm] = norm;
  s[state_gradient_scale] = std::isfinite(norm) ? scale : std::nan("");
}

}  // namespace rz::cpu
