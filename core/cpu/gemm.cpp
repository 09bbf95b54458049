#include "core/cpu/gemm.h"

#include <cblas.h>

#include <climits>
#include <string_view>
#include <utility>

#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"
#include "core/error.h"

namespace rz::cpu {

namespace {

constexpr double indivisible = 0.5e6;  // floating-point operations: below, a second thread costs more than it gives
constexpr double small_piece = 4e6, large_piece = 32e6;
constexpr std::int64_t many_pieces = 8, most_pieces = 64;

// OpenBLAS packs a tile's part of both operands, so tiles should be few, large and as square as their number allows.
// We pack b once, and of a transposed a each tile packs its columns: wide tiles do so less often.
constexpr std::int64_t columns_per_row_transposed = 8;
constexpr std::int64_t smallest_tile = 8 * 1024;  // elements
std::int64_t pieces_wanted(double operations) {
  const auto small = static_cast<std::int64_t>(operations / small_piece);
  const auto large = static_cast<std::int64_t>(operations / large_piece);
  return std::max(std::min(std::max<std::int64_t>(2, small), many_pieces), std::min(large, most_pieces));
}

// Half of n, rounded up to whole vectors of the BLAS's kernels and whole panels of ours.
std::int64_t half_of(std::int64_t n) { return ceil_div(ceil_div(n, 2), 32) * 32; }

// Packing b pays from some rows of a on. A large b leaves the second-level cache, where OpenBLAS's blocks are as good
// as ours on AVX2 but not on AVX-512; there the limit is the memory of a second b.
constexpr std::int64_t least_extent_of_three_parts = 64;
constexpr std::int64_t least_rows = 16, least_columns = 8, most_packed = 1 << 20, most_packed_avx512 = 1 << 24;

// Our kernels where they are faster: those for the precision that is asked for, if there are any, or those for f32.
const GemmKernels* own_kernels(const Product& p) {
  if (p.m < least_rows || p.n < least_columns) return nullptr;
  const GemmKernels* const parts = products_in(product_precision());
  if (parts && p.type == DType::f32 && parts_pay(p.m, p.n, p.k)) return parts;
  const std::int64_t most = kernels().name == std::string_view("avx512") ? most_packed_avx512 : most_packed;
  return kernels().gemm->multiply[real_index(p.type)] && p.n * p.k <= most ? kernels().gemm : nullptr;
}

// For AVX-512, OpenBLAS has f32 kernels that do not pack, for products of at most a million multiplications. They are
// 3 to 25 % faster than the others, also on tiles of a larger product, as long as its operands stay in the
// second-level cache. Where b alone is transposed they sum along registers, which pays for long sums and small tiles.
constexpr std::int64_t most_unpacked = 1000 * 1000, most_operands = 240 * 1024, least_depth_of_sums = 192;

bool blas_has_unpacked_kernels() {
  static const bool has = [] {
    const std::string_view core = openblas_get_corename();
    return core == "SkylakeX" || core == "Cooperlake" || core == "SapphireRapids";
  }();
  return has;
}

// No tiles (rows 0) where these kernels do not exist or do not pay.
ProductTiles unpacked_tiles(const Product& p) {
  const bool sums = p.op_a == Transpose::no && p.op_b == Transpose::yes;
  ProductTiles tiles{32, sums ? 32 : 64, 1, 1};
  if (p.type != DType::f32 || (p.m + p.n) * p.k > most_operands || (sums && p.k < least_depth_of_sums) ||
      tiles.rows * tiles.columns * p.k > most_unpacked || !blas_has_unpacked_kernels()) {
    return {};
  }
  if (sums) return tiles;
  if (p.op_a == Transpose::yes) std::swap(tiles.rows, tiles.columns);
  while (2 * tiles.rows * tiles.columns * p.k <= most_unpacked) {
    std::int64_t& shorter = tiles.rows < tiles.columns ? tiles.rows : tiles.columns;
    shorter *= 2;
  }
  return tiles;
}

ProductTiles packed_tiles(const Product& p, double operations) {
  const std::int64_t columns_per_row = p.panels && p.op_a == Transpose::yes ? columns_per_row_transposed : 1;
  ProductTiles tiles{p.m, p.n, 1, 1};
  for (std::int64_t wanted = pieces_wanted(operations); wanted > 1; wanted /= 2) {
    std::int64_t& longer = tiles.columns > columns_per_row * tiles.rows ? tiles.columns : tiles.rows;
    const bool first = tiles.rows == p.m && tiles.columns == p.n;
    if (longer <= 32 || (!first && tiles.rows * tiles.columns < 2 * smallest_tile)) break;
    longer = half_of(longer);
  }
  return tiles;
}

// A single row waits for memory: threads bring more of b at a time. A tile reads 8,192 numbers at least.
ProductTiles row_tiles(const Product& p) {
  constexpr std::int64_t least_read = 8 * 1024, most_tiles = 16, multiple = 16;
  const std::int64_t least = std::max(ceil_div(least_read, p.k), ceil_div(p.n, most_tiles));
  return {1, std::min(p.n, ceil_div(least, multiple) * multiple), 1, 1};
}

// Where op(x) begins when its first `row` rows and `column` columns are left out.
const void* part(const void* x, Transpose op, std::int64_t x_row, std::int64_t row, std::int64_t column, DType type) {
  return at(x, op == Transpose::no ? row * x_row + column : column * x_row + row, type);
}

blasint narrow(std::int64_t n) {
  RZ_CHECK(value, n <= INT_MAX, "gemm: an extent of {} was given, but OpenBLAS takes at most {}", n, INT_MAX);
  return static_cast<blasint>(n);
}

CBLAS_TRANSPOSE blas(Transpose op) { return op == Transpose::no ? CblasNoTrans : CblasTrans; }

// An operand's matrices: how far apart the batch's are (0: one serves all), and the length of their rows.
struct Batched {
  std::int64_t matrices, stride, row;
};
Batched batched(const Shape& shape) {
  const std::int64_t matrices = shape.rank() == 3 ? shape[0] : 1;
  return {matrices, matrices > 1 ? shape[-1] * shape[-2] : 0, shape[-1]};
}

}  // namespace

bool parts_pay(std::int64_t m, std::int64_t n, std::int64_t k) {
  return product_precision() != ProductPrecision::f32 || std::min({m, n, k}) >= least_extent_of_three_parts;
}

ProductTiles tiles_of(const Product& p) {
  const double operations = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  if (p.m > 1 && operations < indivisible) return {p.m, p.n, 1, 1};
  ProductTiles tiles = p.m == 1 ? row_tiles(p) : p.own ? ProductTiles{} : unpacked_tiles(p);
  if (tiles.rows == 0) tiles = packed_tiles(p, operations);
  tiles.down = ceil_div(p.m, tiles.rows);
  tiles.across = ceil_div(p.n, tiles.columns);
  return tiles;
}

ProductTile tile_of(const Product& product, const ProductTiles& tiles, std::int64_t index) {
  const std::int64_t row = index / tiles.across * tiles.rows, column = index % tiles.across * tiles.columns;
  return {row, std::min(tiles.rows, product.m - row), column, std::min(tiles.columns, product.n - column)};
}

void pack(Product& p, Workspace& w) {
  p.own = own_kernels(p);
  if (!p.own) return;
  const GemmKernels& own = *p.own;
  const std::size_t type = real_index(p.type);
  const std::int64_t width = own.width[type], panels = ceil_div(p.n, width), size = panel_size(own, type, p.k);
  char* const to = static_cast<char*>(w.bytes(static_cast<std::size_t>(panels * size * own.bytes[type])));
  for_ranges(p.type, panels, rows_per_grain(size), [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t column = begin * width;
    own.pack[type]({part(p.b, p.op_b, p.b_row, 0, column, p.type), p.b_row, p.k, std::min(p.n, end * width) - column,
                    p.op_b == Transpose::yes, size},
                   p.alpha, to + begin * size * own.bytes[type]);
  });
  p.panels = to;
}

namespace {

void multiply_packed(const Product& p, const ProductTile& tile) {
  const GemmKernels& own = *p.own;
  const std::size_t type = real_index(p.type);
  const std::int64_t skipped = tile.column / own.width[type] * panel_size(own, type, p.k);
  const GemmBlock block = {.a = part(p.a, p.op_a, p.a_row, tile.row, 0, p.type),
                           .panels = static_cast<const char*>(p.panels) + skipped * own.bytes[type],
                           .row_start = nullptr,
                           .a_rows = nullptr,
                           .c = at(p.c, tile.row * p.c_row + tile.column, p.type),
                           .a_row = p.a_row,
                           .c_row = p.c_row,
                           .c_panel = own.width[type],
                           .rows = tile.rows,
                           .columns = tile.columns,
                           .k = p.k,
                           .a_transposed = p.op_a == Transpose::yes,
                           .accumulate = p.accumulate};
  own.multiply[type](block);
}

// One row of c: OpenBLAS's gemm would first pack all of b.
void multiply_row(const Product& p, const ProductTile& tile) {
  const bool across = p.op_b == Transpose::yes;  // a row of b for each element of c
  const blasint rows = narrow(across ? tile.columns : p.k), columns = narrow(across ? p.k : tile.columns);
  const blasint ldb = narrow(p.b_row), step = p.op_a == Transpose::no ? 1 : narrow(p.a_row);
  const CBLAS_TRANSPOSE op = across ? CblasNoTrans : CblasTrans;
  const void* a = part(p.a, p.op_a, p.a_row, tile.row, 0, p.type);
  const void* b = part(p.b, p.op_b, p.b_row, 0, tile.column, p.type);
  void* c = at(p.c, tile.row * p.c_row + tile.column, p.type);
  if (p.type == DType::f32) {
    cblas_sgemv(CblasRowMajor, op, rows, columns, static_cast<float>(p.alpha), static_cast<const float*>(b), ldb,
                static_cast<const float*>(a), step, p.accumulate ? 1.0F : 0.0F, static_cast<float*>(c), 1);
  } else {
    cblas_dgemv(CblasRowMajor, op, rows, columns, p.alpha, static_cast<const double*>(b), ldb,
                static_cast<const double*>(a), step, p.accumulate ? 1.0 : 0.0, static_cast<double*>(c), 1);
  }
}

}  // namespace

void multiply(const Product& p, const ProductTile& tile) {
  if (p.own) return multiply_packed(p, tile);
  if (p.m == 1) return multiply_row(p, tile);
  const blasint m = narrow(tile.rows), n = narrow(tile.columns), k = narrow(p.k);
  const blasint lda = narrow(p.a_row), ldb = narrow(p.b_row), ldc = narrow(p.c_row);
  const void* a = part(p.a, p.op_a, p.a_row, tile.row, 0, p.type);
  const void* b = part(p.b, p.op_b, p.b_row, 0, tile.column, p.type);
  void* c = at(p.c, tile.row * p.c_row + tile.column, p.type);
  if (p.type == DType::f32) {
    cblas_sgemm(CblasRowMajor, blas(p.op_a), blas(p.op_b), m, n, k, static_cast<float>(p.alpha),
                static_cast<const float*>(a), lda, static_cast<const float*>(b), ldb, p.accumulate ? 1.0F : 0.0F,
                static_cast<float*>(c), ldc);
  } else {
    cblas_dgemm(CblasRowMajor, blas(p.op_a), blas(p.op_b), m, n, k, p.alpha, static_cast<const double*>(a), lda,
                static_cast<const double*>(b), ldb, p.accumulate ? 1.0 : 0.0, static_cast<double*>(c), ldc);
  }
}

std::string CpuBackend::missing_for(ProductPrecision precision) const { return cpu::missing_for(precision); }

void CpuBackend::gemm(Transpose op_a, const Operand& a, Transpose op_b, const Operand& b, double alpha, const Target& c,
                      Workspace& w) {
  if (c.shape.elements() == 0) return;
  Batched in_a = batched(a.shape), in_b = batched(b.shape);
  Product p{c.dtype, op_a,        op_b,   c.shape[-2], c.shape[-1], a.shape[op_a == Transpose::no ? -1 : -2],
            a.data,  b.data,      c.data, in_a.row,    in_b.row,    c.shape[-1],
            alpha,   c.accumulate};
  if (p.k == 0) return c.accumulate ? void() : fill(0, c);
  std::int64_t batch = c.shape.rank() == 3 ? c.shape[0] : 1;
  if (batch > 1 && in_b.stride == 0 && in_a.stride != 0 && op_a == Transpose::no) {  // one tall product
    p.m *= batch;
    batch = 1;
  }
  if (batch == 1) pack(p, w);
  const ProductTiles tiles = batch > 1 && p.m == 1 ? ProductTiles{1, p.n, 1, 1} : tiles_of(p);
  const std::int64_t pieces = batch * tiles.count(), elements = p.m * p.n * p.k;
  const std::int64_t together =
      tiles.count() > 1 ? 1 : rows_per_grain(elements, static_cast<std::int64_t>(indivisible / 2));
  for_ranges(p.type, pieces, together, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece) {
      const std::int64_t matrix = piece / tiles.count();
      Product one = p;
      one.a = at(p.a, matrix * in_a.stride, p.type);
      one.b = at(p.b, matrix * in_b.stride, p.type);
      one.c = at(p.c, matrix * p.m * p.n, p.type);
      multiply(one, tile_of(one, tiles, piece % tiles.count()));
    }
  });
}

}  // namespace rz::cpu
