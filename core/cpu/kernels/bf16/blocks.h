// The walk of a product of bf16 parts over c: for the kernels of this folder alone. Some rows of a are packed at a
// time, for as much of k as lets them and a panel's part stay in the first-level cache; then they meet all panels. Each
// element of c is the same sum however the work was cut: along k it is cut at multiples of 256 from k = 0 on.
#pragma once

#include "core/cpu/kernels/bf16/parts.h"

namespace rz::cpu {
RZ_ISA_BEGIN

constexpr std::int64_t block_k = 256;

// c [rows, columns] += a b of one group and one panel. A Multiply takes it whole, or only the rows that are there.
struct PackedProduct {
  const PackedTile *a, *b;
  float* c;
  std::int64_t c_row, rows, k;
  bool accumulate;
};

// Through memory of its own: a block of c that is smaller than what `multiply` writes, or whose sums begin elsewhere.
template <class Multiply>
inline void multiply_narrow(PackedProduct p, std::int64_t columns, const float* start, Multiply&& multiply) {
  alignas(64) float whole[group_rows * panel_columns] = {};
  float* const c = p.c;
  const std::int64_t c_row = p.c_row;
  for (std::int64_t r = 0; (p.accumulate || start) && r < p.rows; ++r) {
    for (std::int64_t j = 0; j < columns; ++j)
      whole[r * panel_columns + j] = p.accumulate ? c[r * c_row + j] : start[r];
  }
  p.c = whole;
  p.c_row = panel_columns;
  p.accumulate = p.accumulate || start;
  multiply(p);
  for (std::int64_t r = 0; r < p.rows; ++r)
    __builtin_memcpy(c + r * c_row, whole + r * panel_columns, static_cast<std::size_t>(columns) * sizeof(float));
}

// `whole_groups`: multiply writes all 32 rows of a group, be they there or not.
template <int parts, bool whole_groups, class Multiply>
inline void multiply_blocks(const GemmBlock& block, Multiply&& multiply) {
  alignas(64) PackedTile packed[block_k / tile_k * parts * 2];
  const std::int64_t panel = ((block.k + tile_k - 1) / tile_k | 1) * parts * 2;  // tiles
  for (std::int64_t first = 0; first < block.k; first += block_k) {
    const std::int64_t k = block.k - first < block_k ? block.k - first : block_k;
    for (std::int64_t row = 0; row < block.rows; row += group_rows) {
      const std::int64_t rows = block.rows - row < group_rows ? block.rows - row : group_rows;
      const float* const a = static_cast<const float*>(block.a);
      pack_group<parts, false>({.x = a + (block.a_transposed ? first * block.a_row + row : row * block.a_row + first),
                                .row = block.a_row,
                                .k_along_rows = !block.a_transposed,
                                .count = rows,
                                .k = k,
                                .scale = 1},
                               packed);
      PackedProduct p{.a = packed,
                      .b = static_cast<const PackedTile*>(block.panels) + first / tile_k * parts * 2,
                      .c = static_cast<float*>(block.c) + row * block.c_row,
                      .c_row = block.c_row,
                      .rows = rows,
                      .k = k,
                      .accumulate = block.accumulate || first > 0};
      const float* const start =
          block.row_start && !p.accumulate ? static_cast<const float*>(block.row_start) + row : nullptr;
      for (std::int64_t left = block.columns; left > 0; left -= panel_columns) {
        if (left < panel_columns || start || (whole_groups && rows < group_rows)) {
          multiply_narrow(p, left < panel_columns ? left : panel_columns, start, multiply);
        } else {
          multiply(p);
        }
        p.b += panel;
        p.c += block.c_panel;
      }
    }
  }
}

RZ_ISA_END
}  // namespace rz::cpu
