#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

namespace {

// f(block, y) for pieces of an array of random numbers.
template <class F>
void draw(const RandomKey& key, const Operand& state, const Target& y, F&& f) {
  const auto step = static_cast<std::uint64_t>(static_cast<const double*>(state.data)[state_step]);
  static_assert(grain % 4 == 0);
  parallel_ranges(y.shape.elements(), grain, [&](std::int64_t begin, std::int64_t end) {
    f(RandomBlock{key.seed, key.stream, step, begin, end - begin}, at(y.data, begin, y.dtype));
  });
}

}  // namespace

void CpuBackend::uniform(const RandomKey& key, const Operand& state, const Target& y) {
  const auto kernel = kernels_.random->uniform[real_index(y.dtype)];
  draw(key, state, y, [&](const RandomBlock& block, void* numbers) { kernel(block, numbers, y.accumulate); });
}

void CpuBackend::dropout_mask(const RandomKey& key, const Operand& state, double p, const Target& mask) {
  const auto kernel = kernels_.random->dropout_mask[real_index(mask.dtype)];
  draw(key, state, mask, [&](const RandomBlock& block, void* numbers) { kernel(block, p, numbers, mask.accumulate); });
}

}  // namespace rz::cpu
