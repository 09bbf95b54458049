// f32 numbers as sums of bf16 parts, packed for products: for the kernels of this folder alone. A part is what the
// parts before it leave, rounded to bf16 (to nearest even; denormals count as 0): one part has 8 bits of a number, two
// have 16, three all 24, unless the number is so small (below about 1e-33) that its last parts are denormal.
// A tile, 1 KB, is what a tile register of AMX holds: of a 16 rows, of 16 pairs along k; of b 16 such pairs, of 16
// columns. A group of a is 32 rows, a panel of b 32 columns, both [k / 32][part][2] tiles; zeros fill them up.
#pragma once

#include <cstdint>

#include "core/cpu/kernels/kernels.h"
#include "core/cpu/kernels/transpose.h"
#include "core/isa.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace rz::cpu {
RZ_ISA_BEGIN

using Floats = float __attribute__((vector_size(64)));
using Words = std::uint16_t __attribute__((vector_size(64)));  // 32 numbers in bf16
using Pairs = std::uint32_t __attribute__((vector_size(64)));

constexpr std::int64_t tile_rows = 16, tile_k = 32, group_rows = 32, panel_columns = 32;
struct PackedTile {
  Words rows[tile_rows];
};

// a's numbers, then b's, in bf16. What no part has is left in a and b if `remainders`.
template <bool remainders>
inline void take_part(Floats& a, Floats& b, Words& part) {
#if defined(__AVX512BF16__)
  part = (Words)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a);
#else
  using Half = std::uint16_t __attribute__((vector_size(32)));
  const auto rounded = [](const Floats& x, Half& y) {
    const Pairs bits = (Pairs)x, magnitude = bits & 0x7fffffff;
    Pairs word = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    word = magnitude > 0x7f800000 ? bits >> 16 | 0x40 : word;  // NaN
    word = magnitude < 0x00800000 ? bits >> 16 & 0x8000 : word;
    y = __builtin_convertvector(word, Half);
  };
  Half halves[2];
  rounded(a, halves[0]);
  rounded(b, halves[1]);
  __builtin_memcpy(&part, halves, sizeof part);
#endif
  if constexpr (!remainders) return;
  using Half = std::uint16_t __attribute__((vector_size(32)));
  Half halves_of_part[2];
  __builtin_memcpy(halves_of_part, &part, sizeof part);
  a -= (Floats)(__builtin_convertvector(halves_of_part[0], Pairs) << 16);
  b -= (Floats)(__builtin_convertvector(halves_of_part[1], Pairs) << 16);
}

// `whole`: all 16 are there.
template <bool whole>
inline void load(const float* p, std::int64_t count, Floats& v) {
  if constexpr (whole) {
    __builtin_memcpy(&v, p, sizeof v);
  } else {
    v = Floats{};
    if (count > 0)
      __builtin_memcpy(&v, p, count < tile_rows ? static_cast<std::size_t>(count) * sizeof(float) : sizeof v);
  }
}

struct PackedSource {  // numbers x(i, k) of op(a)'s row or op(b)'s column i
  const float* x;
  std::int64_t row;       // from one row of the matrix in memory to the next
  bool k_along_rows;      // x(i, k) = x[i row + k], else x[k row + i]
  std::int64_t count, k;  // how many there are
  float scale;
};

// Of x(i, k), i < 16 and k < 32, a tile per part, two tiles one from the other; pairs of k in its rows, or, as of b,
// each pair's numbers for all i in a row.
template <int parts, bool of_b, bool k_along_rows, bool whole>
inline void pack_tile(const PackedSource& s, PackedTile* tile) {
  Pairs pairs[parts][tile_rows];
#pragma GCC unroll 16
  for (std::int64_t i = 0; i < tile_rows; ++i) {
    Floats a, b;
    if constexpr (k_along_rows) {
      const float* const x = s.x + i * s.row;
      load<whole>(x, i < s.count ? s.k : 0, a);
      load<whole>(x + tile_rows, i < s.count ? s.k - tile_rows : 0, b);
    } else {
      const float* const x = s.x + 2 * i * s.row;
      load<whole>(x, 2 * i < s.k ? s.count : 0, a);
      load<whole>(x + s.row, 2 * i + 1 < s.k ? s.count : 0, b);
    }
    a *= s.scale;
    b *= s.scale;
#pragma GCC unroll 3
    for (int p = 0; p < parts; ++p) {
      Words w;
      p + 1 < parts ? take_part<true>(a, b, w) : take_part<false>(a, b, w);
      if constexpr (!k_along_rows)
        w = __builtin_shufflevector(w, w, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26,
                                    11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      pairs[p][i] = (Pairs)w;
    }
  }
  for (int p = 0; p < parts; ++p) {
    if constexpr (k_along_rows == of_b) transpose(pairs[p]);
    __builtin_memcpy(tile + 2 * p, pairs[p], sizeof pairs[p]);
  }
}

template <int parts, bool of_b>
inline void pack_tile(const PackedSource& s, PackedTile* tile) {
  const bool whole = s.count >= tile_rows && s.k >= tile_k;
  if (s.k_along_rows) {
    whole ? pack_tile<parts, of_b, true, true>(s, tile) : pack_tile<parts, of_b, true, false>(s, tile);
  } else {
    whole ? pack_tile<parts, of_b, false, true>(s, tile) : pack_tile<parts, of_b, false, false>(s, tile);
  }
}

// 32 rows or columns, `k` of them long: [k / 32][part][2] tiles.
template <int parts, bool of_b>
inline void pack_group(PackedSource s, PackedTile* tiles) {
  const std::int64_t count = s.count, k = s.k;
  const float* const x = s.x;
  for (std::int64_t first_k = 0; first_k < k; first_k += tile_k, tiles += 2 * parts) {
    for (std::int64_t half = 0; half < 2; ++half) {
      const std::int64_t first = half * tile_rows;
      s.x = x + (s.k_along_rows ? first * s.row + first_k : first_k * s.row + first);
      s.count = count - first;
      s.k = k - first_k;
      if (s.count <= 0) s.x = x;  // nothing is read
      pack_tile<parts, of_b>(s, tiles + half);
    }
  }
}

template <int parts>
inline void pack_panels(const PackBlock& block, double scale, void* panels) {
  const float* b = static_cast<const float*>(block.b);
  PackedTile* tiles = static_cast<PackedTile*>(panels);
  for (std::int64_t column = 0; column < block.columns; column += panel_columns) {
    pack_group<parts, true>({.x = b + (block.transposed ? column * block.b_row : column),
                             .row = block.b_row,
                             .k_along_rows = block.transposed,
                             .count = block.columns - column,
                             .k = block.k,
                             .scale = static_cast<float>(scale)},
                            tiles);
    tiles += block.panel_stride / (tile_k * tile_rows) * parts;
  }
}

RZ_ISA_END
}  // namespace rz::cpu
