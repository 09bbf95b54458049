// Uniform numbers and dropout masks from Philox 4x32-10, the same bits on every device and in every variant. Of an
// array with key (seed, stream) at step number `step`, block b is philox(counter {b low, b high, step low, stream low},
// key {seed low ^ stream high, seed high}): four words of 32 bits. Element i of an f32 array is (word[i % 4] of block i
// / 4) >> 8, times 2^-24. Element i of an f64 array takes words 2 (i % 2) (low half) and 2 (i % 2) + 1 (high half) of
// block i / 2: those 64 bits >> 11, times 2^-53. A mask keeps element i if that number is at least p. Limit: 20
// multiplications per block.
#include "core/random.h"

#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

void unit(const std::uint32_t words[4], float numbers[4]) {
  for (int k = 0; k < 4; ++k) numbers[k] = static_cast<float>(words[k] >> 8) * 0x1p-24f;
}
void unit(const std::uint32_t words[4], double numbers[2]) {
  for (int k = 0; k < 2; ++k) {
    const std::uint64_t bits = words[2 * k] | std::uint64_t{words[2 * k + 1]} << 32;
    numbers[k] = static_cast<double>(bits >> 11) * 0x1p-53;
  }
}

template <class T>
constexpr std::int64_t per_block = 16 / static_cast<std::int64_t>(sizeof(T));

// The numbers of the block that begins with element i.
template <class T>
void draw_block(const RandomBlock& s, std::int64_t i, T numbers[]) {
  const auto block = static_cast<std::uint64_t>(i / per_block<T>);
  std::uint32_t words[4] = {low(block), high(block), low(s.step), low(s.stream)};
  philox(words, low(s.seed) ^ high(s.stream), high(s.seed));
  unit(words, numbers);
}

// y[i] = f(number of element first + i)
template <bool accumulate, class T, class F>
void draw(const RandomBlock& s, T* y, const F& f) {
  const std::int64_t whole = s.n / per_block<T> * per_block<T>;
  T numbers[per_block<T>];
  for (std::int64_t i = 0; i < whole; i += per_block<T>) {
    draw_block(s, s.first + i, numbers);
    for (std::int64_t k = 0; k < per_block<T>; ++k) y[i + k] = f(numbers[k]) + (accumulate ? y[i + k] : T(0));
  }
  if (whole == s.n) return;
  draw_block(s, s.first + whole, numbers);
  for (std::int64_t i = whole; i < s.n; ++i) y[i] = f(numbers[i - whole]) + (accumulate ? y[i] : T(0));
}

template <class T, class F>
void draw(const RandomBlock& block, void* y, bool accumulate, const F& f) {
  if (accumulate) {
    draw<true>(block, static_cast<T*>(y), f);
  } else {
    draw<false>(block, static_cast<T*>(y), f);
  }
}

template <class T>
void uniform(const RandomBlock& block, void* y, bool accumulate) {
  draw<T>(block, y, accumulate, [](T number) { return number; });
}

template <class T>
void dropout_mask(const RandomBlock& block, double p, void* y, bool accumulate) {
  const T kept = static_cast<T>(1 / (1 - p));
  draw<T>(block, y, accumulate, [p, kept](T number) { return static_cast<double>(number) >= p ? kept : T(0); });
}

}  // namespace

namespace RZ_ISA {
constinit const RandomKernels random_kernels = {
    .uniform = {uniform<float>, uniform<double>},
    .dropout_mask = {dropout_mask<float>, dropout_mask<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
