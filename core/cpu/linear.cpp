// y = f(x W^T + bias): bias and activation pass over each tile of the product right after it was made, while the tile
// is in the cache.
#include "core/cpu/backend.h"
#include "core/cpu/gemm.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

void CpuBackend::linear(const Operand& x, const Operand& weight, const Operand& bias, Scalar f, const Target& y,
                        Workspace& w) {
  const std::int64_t rows = x.shape.rows(), in = weight.shape[1], out = weight.shape[0];
  if (y.accumulate || in == 0) return Backend::linear(x, weight, bias, f, y, w);
  if (rows == 0 || out == 0) return;
  Product p{y.dtype, Transpose::no, Transpose::yes, rows, out, in, x.data, weight.data, y.data, in, in, out, 1, false};
  pack(p, w);
  const auto epilogue = kernels_.scalar[static_cast<std::size_t>(f.function)].epilogue[real_index(y.dtype)];
  const bool bare = !bias.data && f.function == ScalarFunction::identity;
  const ProductTiles tiles = tiles_of(p);
  for_pieces(y.dtype, tiles.count(), [&](std::int64_t piece) {
    const ProductTile tile = tile_of(p, tiles, piece);
    multiply(p, tile);
    if (bare) return;
    const void* tile_bias = bias.data ? at(bias.data, tile.column, bias.dtype) : nullptr;
    epilogue(at(y.data, tile.row * out + tile.column, y.dtype), tile.rows, tile.columns, out, tile_bias, f.parameter);
  });
}

}  // namespace rz::cpu
