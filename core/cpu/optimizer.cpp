#include <algorithm>
#include <cmath>

#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

namespace {

using UpdateKernel = void (*)(const UpdateBlock&);

bool is_skipped(const Operand& state) {
  return !std::isfinite(static_cast<const double*>(state.data)[state_gradient_scale]);
}

// 1 / (1 - beta^step); a step of 0, which no run has, counts as 1.
double correction(double beta, double step) { return 1 / (1 - std::pow(beta, std::max(step, 1.0))); }

// All but the arrays.
UpdateBlock constants(const UpdateOptions& o, const Operand& state) {
  const double* s = static_cast<const double*>(state.data);
  return {.gradient = nullptr,
          .value = nullptr,
          .slot = nullptr,
          .second = nullptr,
          .direction = nullptr,
          .n = 0,
          .rate = o.rate_factor * s[state_rate],
          .gradient_scale = s[state_gradient_scale],
          .weight_decay = o.weight_decay,
          .momentum = o.momentum,
          .beta1 = o.beta1,
          .beta2 = o.beta2,
          .eps = o.eps,
          .mean_correction = o.bias_correction ? correction(o.beta1, s[state_step]) : 1,
          .square_correction = o.bias_correction ? correction(o.beta2, s[state_step]) : 1,
          .factor = 1,
          .nesterov = o.nesterov,
          .decoupled = o.decoupled};
}

// Elements [begin, end) of arrays that begin where those of `whole` do.
UpdateBlock range(UpdateBlock whole, std::int64_t begin, std::int64_t end, DType type) {
  const auto move = [&](auto*& data) {
    if (data) data = at(data, begin, type);
  };
  move(whole.gradient);
  move(whole.value);
  move(whole.slot);
  move(whole.second);
  move(whole.direction);
  whole.n = end - begin;
  return whole;
}

void for_blocks(UpdateKernel kernel, const UpdateBlock& whole, const Operand& like) {
  for_ranges(like.dtype, like.shape.elements(), grain,
             [&](std::int64_t begin, std::int64_t end) { kernel(range(whole, begin, end, like.dtype)); });
}

void update(UpdateKernel kernel, const UpdateOptions& options, const Operand& state, const Operand& gradient,
            const Target& value, const Target& slot, void* second = nullptr) {
  if (is_skipped(state)) return;
  UpdateBlock block = constants(options, state);
  block.gradient = gradient.data;
  block.value = value.data;
  block.slot = slot.data;
  block.second = second;
  for_blocks(kernel, block, gradient);
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

void CpuBackend::rmsprop(const UpdateOptions& options, const Operand& state, const Operand& gradient,
                         const Target& value, const Target& mean_square, const Target& momentum) {
  update(kernels_.optimizer->rmsprop[real_index(value.dtype)], options, state, gradient, value, momentum,
         mean_square.data);
}

void CpuBackend::adam(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
                      const Target& mean, const Target& mean_square) {
  update(kernels_.optimizer->adam[real_index(value.dtype)], options, state, gradient, value, mean, mean_square.data);
}

void CpuBackend::lion(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
                      const Target& momentum) {
  update(kernels_.optimizer->lion[real_index(value.dtype)], options, state, gradient, value, momentum);
}

// Two passes: the direction and both norms, then the descent along it.
void CpuBackend::lamb(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
                      const Target& mean, const Target& mean_square, Workspace& w) {
  if (is_skipped(state)) return;
  const DType type = value.dtype;
  const std::int64_t n = value.shape.elements(), pieces = ceil_div(n, grain);
  UpdateBlock block = constants(options, state);
  block.gradient = gradient.data;
  block.value = value.data;
  block.slot = mean.data;
  block.second = mean_square.data;
  block.direction = w.bytes(static_cast<std::size_t>(n) * size_of(type));
  double* const squares = w.array<double>(2 * pieces);  // per piece, of the value and of the direction
  const auto sum_of_squares = kernels_.reduce->sum_of_squares[real_index(type)];
  for_pieces(type, pieces, [&](std::int64_t piece) {
    const UpdateBlock part = range(block, piece * grain, std::min(n, (piece + 1) * grain), type);
    kernels_.optimizer->lamb_direction[real_index(type)](part);
    squares[2 * piece] = sum_of_squares(part.value, part.n);
    squares[2 * piece + 1] = sum_of_squares(part.direction, part.n);
  });
  double of_value = 0, of_direction = 0;
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    of_value += squares[2 * piece];
    of_direction += squares[2 * piece + 1];
  }
  block.factor = of_value > 0 && of_direction > 0 ? std::sqrt(of_value) / std::sqrt(of_direction) : 1;
  block.weight_decay = 0;  // it is in the direction
  for_blocks(kernels_.optimizer->descend[real_index(type)], block, gradient);
}

void CpuBackend::momentum_direction(const UpdateOptions& options, const Operand& state, const Operand& gradient,
                                    const Target& momentum, const Target& direction) {
  if (is_skipped(state)) return fill(0, direction);
  UpdateBlock block = constants(options, state);
  block.gradient = gradient.data;
  block.slot = momentum.data;
  block.direction = direction.data;
  for_blocks(kernels_.optimizer->momentum_direction[real_index(direction.dtype)], block, gradient);
}

void CpuBackend::descend(const UpdateOptions& options, const Operand& state, double factor, const Operand& direction,
                         const Target& value) {
  if (is_skipped(state)) return;
  UpdateBlock block = constants(options, state);
  block.value = value.data;
  block.direction = const_cast<void*>(direction.data);  // the kernel reads it
  block.factor = factor;
  for_blocks(kernels_.optimizer->descend[real_index(value.dtype)], block, direction);
}

void CpuBackend::moving_average(double decay, const Operand& state, const Operand& value, const Target& average) {
  if (is_skipped(state)) return;
  const DType type = value.dtype;
  for_ranges(type, value.shape.elements(), grain, [&](std::int64_t begin, std::int64_t end) {
    kernels_.optimizer->moving_average[real_index(type)](at(value.data, begin, type), at(average.data, begin, type),
                                                         end - begin, decay);
  });
}

void CpuBackend::clip_scale(const Operand& sum_of_squares, double max_norm, const Target& state) {
  double* const s = static_cast<double*>(state.data);
  const double norm = std::sqrt(*static_cast<const double*>(sum_of_squares.data));
  const double scale = max_norm > 0 && norm > max_norm ? max_norm / norm : 1;
  s[state_gradient_norm] = norm;
  s[state_gradient_scale] = std::isfinite(norm) ? scale : std::nan("");
}

}  // namespace rz::cpu
