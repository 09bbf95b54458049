// Transposition of matrices in tiles that fit into the first-level cache: a plain walk would touch a new cache line
// with every element on one side.
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

template <bool add, class T>
void transpose_tiles(const T* x, std::int64_t x_row, T* y, std::int64_t y_row, std::int64_t rows,
                     std::int64_t columns) {
  constexpr std::int64_t tile = 16;
  for (std::int64_t r0 = 0; r0 < rows; r0 += tile) {
    const std::int64_t r1 = r0 + tile < rows ? r0 + tile : rows;
    for (std::int64_t c0 = 0; c0 < columns; c0 += tile) {
      const std::int64_t c1 = c0 + tile < columns ? c0 + tile : columns;
      for (std::int64_t c = c0; c < c1; ++c) {
        for (std::int64_t r = r0; r < r1; ++r) {
          T& target = y[c * y_row + r];
          if constexpr (add) {
            target += x[r * x_row + c];
          } else {
            target = x[r * x_row + c];
          }
        }
      }
    }
  }
}

template <class T>
void transpose(const void* x, std::int64_t x_row, void* y, std::int64_t y_row, std::int64_t rows,
               std::int64_t columns) {
  transpose_tiles<false>(static_cast<const T*>(x), x_row, static_cast<T*>(y), y_row, rows, columns);
}

template <class T>
void transpose_add(const void* x, std::int64_t x_row, void* y, std::int64_t y_row, std::int64_t rows,
                   std::int64_t columns) {
  transpose_tiles<true>(static_cast<const T*>(x), x_row, static_cast<T*>(y), y_row, rows, columns);
}

}  // namespace

namespace RZ_ISA {
constinit const MoveKernels move_kernels = {
    .transpose = {transpose<std::uint8_t>, transpose<std::uint16_t>, transpose<std::uint32_t>,
                  transpose<std::uint64_t>},
    .transpose_add = {transpose_add<float>, transpose_add<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
