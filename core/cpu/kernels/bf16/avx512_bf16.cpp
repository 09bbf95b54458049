// Products of operands rounded to bf16, by vdpbf16ps: two products and two additions in f32 per lane, rounded to
// nearest even, denormal results 0. Every element is one chain in the order of k, the second number of each pair before
// the first. Limit: the two FMA units; a strip of 8 rows loads 10 vectors per 16 instructions.
#include <immintrin.h>

#include <utility>

#include "core/cpu/kernels/bf16/blocks.h"
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

constexpr int strip_rows = 8;  // of a group: 16 sums of 16 lanes

template <int rows>
[[gnu::noinline]] void multiply_strip(const PackedProduct& p) {
  const PackedTile *a = p.a, *b = p.b;
  __m512 sum[rows][2];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    const float* c = p.c + r * p.c_row;
    sum[r][0] = p.accumulate ? _mm512_loadu_ps(c) : _mm512_setzero_ps();
    sum[r][1] = p.accumulate ? _mm512_loadu_ps(c + 16) : _mm512_setzero_ps();
  }
  for (std::int64_t left = (p.k + 1) / 2; left > 0; left -= tile_rows, a += 2, b += 2) {
    const std::int64_t pairs = left < tile_rows ? left : tile_rows;
    const int* const numbers = reinterpret_cast<const int*>(a);
    for (std::int64_t i = 0; i < pairs; ++i) {
      const auto first = (__m512bh)b[0].rows[i], second = (__m512bh)b[1].rows[i];
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) {
        const auto x = (__m512bh)_mm512_set1_epi32(numbers[r * tile_rows + i]);
        sum[r][0] = _mm512_dpbf16_ps(sum[r][0], x, first);
        sum[r][1] = _mm512_dpbf16_ps(sum[r][1], x, second);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    _mm512_storeu_ps(p.c + r * p.c_row, sum[r][0]);
    _mm512_storeu_ps(p.c + r * p.c_row + 16, sum[r][1]);
  }
}

template <int... row>
void multiply_strips(const PackedProduct& product, std::integer_sequence<int, row...>) {
  static constexpr void (*strips[])(const PackedProduct&) = {multiply_strip<row + 1>...};
  for (std::int64_t r = 0; r < product.rows; r += strip_rows) {
    PackedProduct p = product;
    p.a = reinterpret_cast<const PackedTile*>(&p.a[r / tile_rows].rows[r % tile_rows]);
    p.c += r * p.c_row;
    strips[(p.rows - r < strip_rows ? p.rows - r : strip_rows) - 1](p);
  }
}

void multiply(const GemmBlock& block) {
  multiply_blocks<1, false>(
      block, [](const PackedProduct& p) { multiply_strips(p, std::make_integer_sequence<int, strip_rows>{}); });
}

}  // namespace

constinit const GemmKernels gemm_avx512_bf16 = {
    .width = {panel_columns, 0},
    .step = {tile_k, 0},
    .bytes = {2, 0},
    .pack = {pack_panels<1>, nullptr},
    .multiply = {multiply, nullptr},
};

}  // namespace rz::cpu
