// Uniform numbers and dropout masks from Philox 4x32-10, the same bits on every device and in every variant. Of an
// array with key (seed, stream) at step number `step`, block b is philox(counter {b low, b high, step low, stream low},
// key {seed low ^ stream high, seed high}): four words of 32 bits. Element i of an f32 array is (word[i % 4] of block i
// / 4) >> 8, times 2^-24. Element i of an f64 array takes words 2 (i % 2) (low half) and 2 (i % 2) + 1 (high half) of
// block i / 2: those 64 bits >> 11, times 2^-53. A mask keeps element i if that number is at least p.
// As many blocks as a register has 64-bit lanes are made at once, four such groups in turn so that their
// multiplications overlap. Limit: 20 multiplications per block, then the stores.
#include "core/cpu/kernels/variant.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rz::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int blocks = 8;
#elif defined(__AVX2__)
constexpr int blocks = 4;
#else
constexpr int blocks = 2;
#endif
constexpr int groups = 4, together = groups * blocks;

// A 32-bit word of each block, in the lower half of a lane. What is in the upper half does not count.
using Words = std::uint64_t __attribute__((vector_size(8 * blocks)));

inline Words all(std::uint32_t word) { return Words{} + word; }

inline Words multiply(const Words& a, const Words& b) {  // lower half by lower half
#if defined(__AVX512F__)
  return (Words)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
  return (Words)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & all(0xFFFFFFFF)) * (b & all(0xFFFFFFFF));
#endif
}

std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

// philox() of core/random.h for the blocks from `first` on: word[w][b] becomes word w of block first + b.
void philox_blocks(const RandomBlock& s, std::uint64_t first, std::uint64_t word[4][together]) {
  Words c[groups][4];
  for (int g = 0; g < groups; ++g) {
    Words index;
    for (int k = 0; k < blocks; ++k) index[k] = first + static_cast<std::uint64_t>(g * blocks + k);
    c[g][0] = index;
    c[g][1] = index >> 32;
    c[g][2] = all(low(s.step));
    c[g][3] = all(low(s.stream));
  }
  std::uint32_t key0 = low(s.seed) ^ high(s.stream), key1 = high(s.seed);
  for (int round = 0; round < 10; ++round) {
    for (auto& [c0, c1, c2, c3] : c) {
      const Words p0 = multiply(c0, all(0xD2511F53)), p1 = multiply(c2, all(0xCD9E8D57));
      c0 = (p1 >> 32) ^ c1 ^ all(key0);
      c2 = (p0 >> 32) ^ c3 ^ all(key1);
      c1 = p1;
      c3 = p0;
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  for (int g = 0; g < groups; ++g) {
    for (int w = 0; w < 4; ++w) __builtin_memcpy(word[w] + g * blocks, &c[g][w], sizeof(Words));
  }
}

template <class T>
constexpr int per_block = 16 / static_cast<int>(sizeof(T));
template <class T>
constexpr int batch = together * per_block<T>;  // numbers made at once

void numbers(const RandomBlock& s, std::uint64_t block, float y[batch<float>]) {
  std::uint64_t word[4][together];
  philox_blocks(s, block, word);
  for (int b = 0; b < together; ++b) {
    for (int w = 0; w < 4; ++w) y[4 * b + w] = static_cast<float>(static_cast<int>(low(word[w][b]) >> 8)) * 0x1p-24f;
  }
}
void numbers(const RandomBlock& s, std::uint64_t block, double y[batch<double>]) {
  std::uint64_t word[4][together];
  philox_blocks(s, block, word);
  for (int b = 0; b < together; ++b) {
    for (int w = 0; w < 2; ++w) {
      const std::uint64_t bits = low(word[2 * w][b]) | word[2 * w + 1][b] << 32;
      y[2 * b + w] = static_cast<double>(static_cast<std::int64_t>(bits >> 11)) * 0x1p-53;
    }
  }
}

// y[i] = f(number of element first + i)
template <bool accumulate, class T, class F>
void draw(const RandomBlock& s, T* y, const F& f) {
  alignas(64) T drawn[batch<T>];
  for (std::int64_t i = 0; i < s.n; i += batch<T>) {
    numbers(s, static_cast<std::uint64_t>((s.first + i) / per_block<T>), drawn);
    const std::int64_t count = s.n - i < batch<T> ? s.n - i : batch<T>;
    for (std::int64_t k = 0; k < count; ++k) y[i + k] = f(drawn[k]) + (accumulate ? y[i + k] : T(0));
  }
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
  constexpr double units = sizeof(T) == sizeof(float) ? 0x1p24 : 0x1p53;  // numbers are multiples of 1 / units
  const T least = static_cast<T>(__builtin_ceil(p * units) / units), kept = static_cast<T>(1 / (1 - p));
  draw<T>(block, y, accumulate, [least, kept](T number) { return number >= least ? kept : T(0); });
}

}  // namespace

namespace RZ_ISA {
constinit const RandomKernels random_kernels = {
    .uniform = {uniform<float>, uniform<double>},
    .dropout_mask = {dropout_mask<float>, dropout_mask<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
