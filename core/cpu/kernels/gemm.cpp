// c = a b (+ c) in register tiles of a few rows by two vectors. b was packed in panels as wide as a tile,
// [panel][k][width], with zeros beyond its last column; a is read where it is, one number broadcast per fused
// multiply-add of two vectors. Every element of c is one chain of fused multiply-adds in the order of k, so its bits
// depend neither on how the work was cut nor on the other extents. Limit: the two FMA units; a tile loads two vectors
// and `rows` numbers per 2 `rows` FMAs.
#include <utility>

#include "core/cpu/kernels/panel.h"
#include "core/cpu/kernels/transpose.h"
#include "core/cpu/kernels/variant.h"

#if defined(__AVX2__)
namespace rz::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int most_rows = 8;
#else
constexpr int most_rows = 6;  // 12 of the 16 registers are sums
#endif
constexpr std::int64_t k_block = 256;  // of a panel: 16 or 32 KB, for the first-level cache

// ---- packing ----

// One panel from b [k, columns], rows b_row apart.
template <class T>
void pack_rows(const T* b, std::int64_t b_row, std::int64_t k, std::int64_t columns, T scale, T* panel) {
  for (std::int64_t i = 0; i < k; ++i, b += b_row, panel += width<T>) {
    if (columns == width<T>) {
      store_vector<T>(load_vector(b) * scale, panel);
      store_vector<T>(load_vector(b + lanes<T>) * scale, panel + lanes<T>);
    } else {
      for (std::int64_t j = 0; j < columns; ++j) panel[j] = scale * b[j];
    }
  }
}

// One panel from the transpose of b [columns, k].
template <class T>
void pack_columns(const T* b, std::int64_t b_row, std::int64_t k, std::int64_t columns, T scale, T* panel) {
  constexpr int n = lanes<T>;
  const std::int64_t square = k / n * n;
  for (std::int64_t first = 0; first < columns; first += n) {
    const std::int64_t some = columns - first < n ? columns - first : n;
    for (std::int64_t i = 0; i < square; i += n) {
      Vector<T> rows[n] = {};
      for (int j = 0; j < some; ++j) rows[j] = load_vector(b + (first + j) * b_row + i) * scale;
      transpose(rows);
      for (int j = 0; j < n; ++j) store_vector<T>(rows[j], panel + (i + j) * width<T> + first);
    }
    for (std::int64_t i = square; i < k; ++i) {
      for (std::int64_t j = 0; j < some; ++j) panel[i * width<T> + first + j] = scale * b[(first + j) * b_row + i];
    }
  }
}

template <class T>
void pack(const PackBlock& block, double scale, void* panels) {
  const T* b = static_cast<const T*>(block.b);
  T* panel = static_cast<T*>(panels);
  for (std::int64_t column = 0; column < block.columns; column += width<T>, panel += block.panel_stride) {
    const std::int64_t columns = block.columns - column < width<T> ? block.columns - column : width<T>;
    if (columns < width<T>) __builtin_memset(panel, 0, static_cast<std::size_t>(block.k) * width<T> * sizeof(T));
    if (block.transposed) {
      pack_columns(b + column * block.b_row, block.b_row, block.k, columns, static_cast<T>(scale), panel);
    } else {
      pack_rows(b + column, block.b_row, block.k, columns, static_cast<T>(scale), panel);
    }
  }
}

// ---- multiplying ----

template <class T>
struct Tile {
  const T *a, *panel;
  const T* start;  // of each row's sums, or null: c where `accumulate`, else 0
  T* c;
  std::int64_t a_row, c_row, k;
  bool accumulate;
};

template <class T, int rows, bool a_transposed>
[[gnu::noinline]] void multiply_tile(const Tile<T>& tile) {  // inlined, its sums leave their registers
  constexpr int n = lanes<T>;
  const T *a = tile.a, *panel = tile.panel;
  const std::int64_t a_row = tile.a_row, k = tile.k;
  Vector<T> sum[rows][2];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    const T* c = tile.c + r * tile.c_row;
    const Vector<T> start = Vector<T>{} + (tile.start ? tile.start[r] : T{0});
    sum[r][0] = tile.accumulate ? load_vector(c) : start;
    sum[r][1] = tile.accumulate ? load_vector(c + n) : start;
  }
  for (std::int64_t i = 0; i < k; ++i, panel += width<T>) {
    const Vector<T> left = load_vector(panel), right = load_vector(panel + n);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const T x = a_transposed ? a[i * a_row + r] : a[r * a_row + i];
      sum[r][0] += x * left;
      sum[r][1] += x * right;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    store_vector<T>(sum[r][0], tile.c + r * tile.c_row);
    store_vector<T>(sum[r][1], tile.c + r * tile.c_row + n);
  }
}

template <class T>
using TileFunction = void (*)(const Tile<T>& tile);
template <class T, bool a_transposed, int... row>
TileFunction<T> tile_of_rows(std::int64_t rows, std::integer_sequence<int, row...>) {
  static constexpr TileFunction<T> functions[] = {multiply_tile<T, row + 1, a_transposed>...};
  return functions[rows - 1];
}

// The last panel's tiles are as wide as the others: they pass through memory of their own.
template <class T>
void multiply_narrow(Tile<T> tile, std::int64_t rows, std::int64_t columns, TileFunction<T> multiply) {
  alignas(bytes_of_vector) T whole[most_rows * width<T>] = {};
  T* const c = std::exchange(tile.c, whole);
  const std::int64_t c_row = std::exchange(tile.c_row, width<T>);
  for (std::int64_t r = 0; tile.accumulate && r < rows; ++r) {
    for (std::int64_t j = 0; j < columns; ++j) whole[r * width<T> + j] = c[r * c_row + j];
  }
  multiply(tile);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < columns; ++j) c[r * c_row + j] = whole[r * width<T> + j];
  }
}

// Rows of c that are computed one after the other while their part of a is near: two strips of tiles.
template <class T>
struct Group {
  const T* a;  // of its first row and of the block's first k
  std::int64_t a_row, rows, k;
  bool transposed;
};

// Asks for a share of the numbers that a group will read: no hardware foresees them in a matrix that is used once.
template <class T>
void fetch(const Group<T>& group, std::int64_t share, std::int64_t shares) {
  constexpr std::int64_t line = 64 / std::int64_t{sizeof(T)};
  const std::int64_t per_row = (group.k + line - 1) / line, lines = group.transposed ? group.k : group.rows * per_row;
  for (std::int64_t i = share * lines / shares, end = (share + 1) * lines / shares; i < end; ++i) {
    if (group.transposed) {
      __builtin_prefetch(group.a + i * group.a_row + group.rows - 1, 0, 2);
    } else {
      __builtin_prefetch(group.a + i / per_row * group.a_row + i % per_row * line);
    }
  }
}

// Puts what a group reads of a side by side: its columns, since where rows are a power of two apart they share a few
// lines of the first-level cache; or rows that stand anywhere.
template <class T>
void pack_group(Group<T>& group, const std::int64_t* rows, T* packed) {
  constexpr std::int64_t most = 2 * most_rows;
  if (!group.transposed) {
    for (std::int64_t r = 0; r < group.rows; ++r)
      __builtin_memcpy(packed + r * group.k, group.a + rows[r] * group.a_row,
                       static_cast<std::size_t>(group.k) * sizeof(T));
  } else {
    for (std::int64_t i = 0; i < group.k; ++i) {
      if (group.rows == most) {
        __builtin_memcpy(packed + i * most, group.a + i * group.a_row, most * sizeof(T));
      } else {
        for (std::int64_t r = 0; r < group.rows; ++r) packed[i * most + r] = group.a[i * group.a_row + r];
      }
    }
  }
  group.a = packed;
  group.a_row = group.transposed ? most : group.k;
}

template <class T>
void multiply_group(const GemmBlock& block, std::int64_t first_k, std::int64_t row, const Group<T>& group,
                    const Group<T>& next) {
  constexpr std::make_integer_sequence<int, most_rows> any;
  const std::int64_t strips = (group.rows + most_rows - 1) / most_rows;
  const std::int64_t panels = (block.columns + width<T> - 1) / width<T>;
  for (std::int64_t strip = 0, above = 0; strip < strips; ++strip) {
    const std::int64_t rows = (group.rows - above) / (strips - strip);
    const TileFunction<T> function =
        group.transposed ? tile_of_rows<T, true>(rows, any) : tile_of_rows<T, false>(rows, any);
    Tile<T> tile = {.a = group.a + (group.transposed ? above : above * group.a_row),
                    .panel = static_cast<const T*>(block.panels) + first_k * width<T>,
                    .start = nullptr,
                    .c = static_cast<T*>(block.c) + (row + above) * block.c_row,
                    .a_row = group.a_row,
                    .c_row = block.c_row,
                    .k = group.k,
                    .accumulate = block.accumulate || first_k > 0};
    if (block.row_start) tile.start = static_cast<const T*>(block.row_start) + row + above;
    for (std::int64_t panel = 0; panel < panels; ++panel) {
      fetch(next, strip * panels + panel, strips * panels);
      const std::int64_t columns = block.columns - panel * width<T>;
      if (columns < width<T>) {
        multiply_narrow(tile, rows, columns, function);
      } else {
        function(tile);
      }
      tile.panel += block.k * width<T>;
      tile.c += block.c_panel;
    }
    above += rows;
  }
}

template <class T>
void multiply(const GemmBlock& block) {
  alignas(64) T packed[k_block * 2 * most_rows];
  const std::int64_t groups = (block.rows + 2 * most_rows - 1) / (2 * most_rows);
  for (std::int64_t first = 0; first < block.k; first += k_block) {
    const auto group_from = [&](std::int64_t index) {  // of equal heights, or one less
      const std::int64_t row = index * block.rows / groups, end = (index + 1) * block.rows / groups;
      const std::int64_t offset = block.a_transposed ? first * block.a_row + row
                                  : block.a_rows     ? first
                                                     : row * block.a_row + first;
      return Group<T>{static_cast<const T*>(block.a) + offset, block.a_row, index < groups ? end - row : 0,
                      block.k - first < k_block ? block.k - first : k_block, block.a_transposed};
    };
    for (std::int64_t index = 0; index < groups; ++index) {
      Group<T> group = group_from(index);
      const std::int64_t row = index * block.rows / groups;
      if (block.a_rows || (group.transposed && block.columns > 2 * width<T>))
        pack_group(group, block.a_rows ? block.a_rows + row : nullptr, packed);
      Group<T> next = group_from(index + 1);
      if (index + 1 == groups || block.a_rows) next.k = 0;  // rows that stand anywhere are fetched when they are packed
      multiply_group(block, first, row, group, next);
    }
  }
}

}  // namespace

namespace RZ_ISA {
constinit const GemmKernels gemm_kernels = {
    .width = {width<float>, width<double>},
    .step = {1, 1},
    .bytes = {sizeof(float), sizeof(double)},
    .pack = {pack<float>, pack<double>},
    .multiply = {multiply<float>, multiply<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
#else
namespace rz::cpu::RZ_ISA {
constinit const GemmKernels gemm_kernels = {};  // without fused multiply-add OpenBLAS is as fast
}  // namespace rz::cpu::RZ_ISA
#endif
