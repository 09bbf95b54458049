// How the CPU's work is cut into pieces: by shape alone, about a `grain` of elements each, so that results never depend
// on the number of threads. Work below one grain stays on the calling thread. In f32 pieces denormals count as 0, in
// f64 never.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/dtype.h"
#include "core/memory.h"
#include "core/parallel.h"

namespace rz::cpu {

constexpr std::int64_t grain =
    16 * 1024;  // elements: a few microseconds of streaming, half of a second-level cache for three arrays

inline std::size_t index_of(DType type) { return static_cast<std::size_t>(type); }
inline std::size_t real_index(DType type) { return type == DType::f32 ? 0 : 1; }

// Element i of an array.
inline const void* at(const void* data, std::int64_t i, DType type) {
  return static_cast<const char*>(data) + i * static_cast<std::int64_t>(size_of(type));
}
inline void* at(void* data, std::int64_t i, DType type) {
  return static_cast<char*>(data) + i * static_cast<std::int64_t>(size_of(type));
}

inline double read_real(const void* data, std::int64_t i, DType type) {
  return type == DType::f32 ? static_cast<double>(static_cast<const float*>(data)[i])
                            : static_cast<const double*>(data)[i];
}
inline void write_real(void* data, std::int64_t i, DType type, double value, bool accumulate) {
  if (accumulate) value += read_real(data, i, type);
  if (type == DType::f32) {
    static_cast<float*>(data)[i] = static_cast<float>(value);
  } else {
    static_cast<double*>(data)[i] = value;
  }
}

inline std::int64_t ceil_div(std::int64_t n, std::int64_t d) { return (n + d - 1) / d; }

// Rows of so many elements that make up a grain.
inline std::int64_t rows_per_grain(std::int64_t columns, std::int64_t elements = grain) {
  return std::max<std::int64_t>(1, elements / std::max<std::int64_t>(1, columns));
}

// f(piece), for arithmetic in `type`.
template <class F>
void for_pieces(DType type, std::int64_t pieces, F&& f) {
  parallel_for(pieces, [&](std::int64_t piece) {
    const FlushDenormals flush(type == DType::f32);
    f(piece);
  });
}

// f(begin, end) for ranges of [0, n), for arithmetic in `type`.
template <class F>
void for_ranges(DType type, std::int64_t n, std::int64_t length, F&& f) {
  parallel_ranges(n, length, [&](std::int64_t begin, std::int64_t end) {
    const FlushDenormals flush(type == DType::f32);
    f(begin, end);
  });
}

// f(piece, scratch) for all pieces, on as many threads as there are, each with memory of its own.
template <class F>
void for_pieces_with_scratch(DType type, std::int64_t pieces, std::size_t bytes, Workspace& w, F&& f) {
  const std::int64_t workers = std::min<std::int64_t>(threads(), pieces);
  bytes = (bytes + 63) / 64 * 64;
  char* const scratch = static_cast<char*>(w.bytes(bytes * static_cast<std::size_t>(workers)));
  std::atomic<std::int64_t> next{0};
  for_pieces(type, workers, [&](std::int64_t worker) {
    for (std::int64_t piece = next++; piece < pieces; piece = next++)
      f(piece, scratch + bytes * static_cast<std::size_t>(worker));
  });
}

// A part of `count` matrices [rows, columns]: matrices [first, last), rows [row, row + rows), columns [column, column +
// columns).
struct Tile {
  std::int64_t first, last, row, rows, column, columns;
};

// f(tile) for tiles of about a grain. Several small matrices make one tile, a large one is cut into several.
template <class F>
void for_tiles(DType type, std::int64_t count, std::int64_t rows, std::int64_t columns, std::int64_t most_columns,
               F&& f) {
  if (count <= 0 || rows <= 0 || columns <= 0) return;
  if (rows * columns <= grain) {
    for_ranges(type, count, rows_per_grain(rows * columns),
               [&](std::int64_t first, std::int64_t last) { f(Tile{first, last, 0, rows, 0, columns}); });
    return;
  }
  const std::int64_t column_block = std::min(columns, most_columns),
                     row_block = std::min(rows, rows_per_grain(column_block));
  const std::int64_t across = ceil_div(columns, column_block), down = ceil_div(rows, row_block);
  for_pieces(type, count * across * down, [&](std::int64_t piece) {
    const std::int64_t matrix = piece / (across * down), row = piece / across % down * row_block,
                       column = piece % across * column_block;
    f(Tile{matrix, matrix + 1, row, std::min(row_block, rows - row), column, std::min(column_block, columns - column)});
  });
}

}  // namespace rz::cpu
