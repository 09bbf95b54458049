// Products of bf16 parts on tile registers: a block of c [32, 32] stays in four of them while two tiles of a and two of
// b pass, for each pair of parts that counts; the smallest products come first. `Tiles` is AMX's, or the test's own:
//   zero<t>(), load<t>(memory, bytes from row to row), store<t>(the same), and dot<c, a, b>(), c [16, 16] in f32 +=
//   a b: even and odd numbers of the pairs are summed apart from 0 on, by fused multiply-adds in the order of k, then
//   added, then added to c; rounded to nearest even, denormals 0.
// What is not finite in an operand gives what is not finite in c, of two or three parts NaN. Limit: loads; for three
// parts 24 products of tiles have 18 loads.
#pragma once

#include "core/cpu/kernels/bf16/blocks.h"

namespace rz::cpu {
RZ_ISA_BEGIN

template <class Tiles, int parts>
class TileProducts {
 public:
  static void multiply(const GemmBlock& block) {
    Tiles tiles;  // configured; released at the end
    multiply_blocks<parts, true>(block, [&](const PackedProduct& p) { multiply_panel(tiles, p); });
  }

 private:
  static constexpr std::int64_t packed_row = 64;  // bytes

  static void multiply_panel(Tiles& tiles, const PackedProduct& p) {
    const std::int64_t row = p.c_row * std::int64_t{sizeof(float)};
    float* const below = p.c + tile_rows * p.c_row;
    if (p.accumulate) {
      tiles.template load<0>(p.c, row);
      tiles.template load<1>(p.c + tile_rows, row);
      tiles.template load<2>(below, row);
      tiles.template load<3>(below + tile_rows, row);
    } else {
      tiles.template zero<0>();
      tiles.template zero<1>();
      tiles.template zero<2>();
      tiles.template zero<3>();
    }
    for (std::int64_t k = 0; k < p.k; k += tile_k) {
      const std::int64_t first = k / tile_k * parts * 2;
      add_parts(tiles, p.a + first, p.b + first);
    }
    tiles.template store<0>(p.c, row);
    tiles.template store<1>(p.c + tile_rows, row);
    tiles.template store<2>(below, row);
    tiles.template store<3>(below + tile_rows, row);
  }

  // Parts i of a and j of b with i + j < parts: what is left out is as small as the last part's rounding.
  static void add_parts(Tiles& tiles, const PackedTile* a, const PackedTile* b) {
    if constexpr (parts == 3) {
      load_a(tiles, a + 4), load_b(tiles, b), dots(tiles);  // 2, 0
      load_a(tiles, a + 2), dots(tiles);                    // 1, 0
      load_b(tiles, b + 2), dots(tiles);                    // 1, 1
      load_a(tiles, a), dots(tiles);                        // 0, 1
      load_b(tiles, b + 4), dots(tiles);                    // 0, 2
    } else if constexpr (parts == 2) {
      load_a(tiles, a + 2), load_b(tiles, b), dots(tiles);  // 1, 0
      load_a(tiles, a), load_b(tiles, b + 2), dots(tiles);  // 0, 1
    } else {
      load_a(tiles, a);
    }
    load_b(tiles, b), dots(tiles);
  }
  static void load_a(Tiles& tiles, const PackedTile* a) {
    tiles.template load<4>(a, packed_row);
    tiles.template load<5>(a + 1, packed_row);
  }
  static void load_b(Tiles& tiles, const PackedTile* b) {
    tiles.template load<6>(b, packed_row);
    tiles.template load<7>(b + 1, packed_row);
  }
  static void dots(Tiles& tiles) {
    tiles.template dot<0, 4, 6>();
    tiles.template dot<1, 4, 7>();
    tiles.template dot<2, 5, 6>();
    tiles.template dot<3, 5, 7>();
  }
};

template <class Tiles, int parts>
constexpr GemmKernels tile_products() {
  return {.width = {panel_columns, 0},
          .step = {tile_k, 0},
          .bytes = {2 * parts, 0},
          .pack = {pack_panels<parts>, nullptr},
          .multiply = {TileProducts<Tiles, parts>::multiply, nullptr}};
}

RZ_ISA_END
}  // namespace rz::cpu
