// One matrix product in tiles, by our kernels or by OpenBLAS. Tiles and the choice depend on the extents alone, so bits
// do not depend on the number of threads.
#pragma once

#include "core/backend.h"
#include "core/cpu/isa.h"

namespace rz::cpu {

// c = alpha op(a) op(b), added to c if accumulate.   op(a) [m, k], op(b) [k, n], c [m, n], rows so many elements apart.
struct Product {
  DType type;
  Transpose op_a, op_b;
  std::int64_t m, n, k;
  const void *a, *b;
  void* c;
  std::int64_t a_row, b_row, c_row;
  double alpha;
  bool accumulate;
  const GemmKernels* own = nullptr;  // whose panels; null: OpenBLAS multiplies
  const void* panels = nullptr;      // alpha op(b)
};

struct ProductTiles {
  std::int64_t rows = 0, columns = 0;  // of one tile
  std::int64_t down = 0, across = 0;   // how many
  std::int64_t count() const { return down * across; }
};

struct ProductTile {  // rows [row, row + rows), columns [column, column + columns) of c
  std::int64_t row, rows, column, columns;
};

// Numbers of a panel of b, of own.bytes[type] each.
inline std::int64_t panel_size(const GemmKernels& own, std::size_t type, std::int64_t k) {
  const std::int64_t step = own.step[type], steps = (k + step - 1) / step;
  return (step > 1 ? steps | 1 : steps) * step * own.width[type];
}

// Whether products from parts, if there are kernels for them in this thread's precision, are faster than f32's.
bool parts_pay(std::int64_t m, std::int64_t n, std::int64_t k);

ProductTiles tiles_of(const Product& product);
ProductTile tile_of(const Product& product, const ProductTiles& tiles, std::int64_t index);
void pack(Product& product, Workspace& w);                       // where our kernels are faster, on all threads
void multiply(const Product& product, const ProductTile& tile);  // on the calling thread

}  // namespace rz::cpu
