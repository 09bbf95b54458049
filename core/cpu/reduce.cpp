// Reductions go axis by axis, the innermost first: each stage cuts the axis into chunks, a piece reduces a chunk to f64
// partial results, and the partial results are an axis of the next stage. The order of additions is therefore fixed by
// the shape.
#include <cmath>

#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

namespace {

constexpr std::int64_t row_chunk = 32 * 1024;  // elements of a row in one piece
constexpr std::int64_t column_block = 256;     // columns in one piece

// Neighbouring axes that are both kept or both reduced, as one. The innermost is last.
struct Groups {
  int count = 0;
  std::int64_t extent[Shape::max_rank + 1] = {};
  bool reduced[Shape::max_rank + 1] = {};

  void add(std::int64_t n, bool is_reduced) {
    if (n == 1) return;
    if (count > 0 && reduced[count - 1] == is_reduced) {
      extent[count - 1] *= n;
      return;
    }
    extent[count] = n;
    reduced[count++] = is_reduced;
  }
  int innermost_reduced() const {
    for (int k = count - 1; k >= 0; --k) {
      if (reduced[k]) return k;
    }
    return -1;
  }
  std::int64_t product(int first, int last) const {
    std::int64_t n = 1;
    for (int k = first; k < last; ++k) n *= extent[k];
    return n;
  }
};

Groups groups_of(const Shape& x, const Shape& y) {
  Groups groups;
  for (int k = 0; k < x.rank(); ++k) groups.add(x[k], y[k] == 1);
  return groups;
}

struct Stage {  // x [outer, reduced, inner] -> partial results [outer, chunks, inner]
  std::int64_t outer, reduced, inner;
  std::int64_t chunk, chunks;
};

Stage stage_of(const Groups& groups, int k) {
  Stage s{groups.product(0, k), groups.extent[k], groups.product(k + 1, groups.count), row_chunk, 1};
  if (s.inner > 1) s.chunk = std::max<std::int64_t>(8, grain / std::min(s.inner, column_block));
  s.chunks = ceil_div(s.reduced, s.chunk);
  return s;
}

using Kernel = void (*)(const void*, std::int64_t, std::int64_t, std::int64_t, double*);

void reduce_rows(Kernel rows, const Stage& s, const void* x, DType type, double* y) {
  if (s.chunks == 1) {
    return for_ranges(type, s.outer, rows_per_grain(s.reduced, row_chunk), [&](std::int64_t begin, std::int64_t end) {
      rows(at(x, begin * s.reduced, type), end - begin, s.reduced, s.reduced, y + begin);
    });
  }
  for_pieces(type, s.outer * s.chunks, [&](std::int64_t piece) {
    const std::int64_t first = piece % s.chunks * s.chunk;
    rows(at(x, piece / s.chunks * s.reduced + first, type), 1, std::min(s.chunk, s.reduced - first), s.reduced,
         y + piece);
  });
}

void reduce_columns(Kernel columns, const Stage& s, const void* x, DType type, double* y) {
  const std::int64_t size = s.reduced * s.inner;
  if (size <= grain && s.chunks == 1) {
    return for_ranges(type, s.outer, rows_per_grain(size), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        columns(at(x, i * size, type), s.reduced, s.inner, s.inner, y + i * s.inner);
    });
  }
  const std::int64_t blocks = ceil_div(s.inner, column_block);
  for_pieces(type, s.outer * s.chunks * blocks, [&](std::int64_t piece) {
    const std::int64_t column = piece % blocks * column_block, line = piece / blocks;  // a line of partial results
    const std::int64_t first = line % s.chunks * s.chunk;
    columns(at(x, line / s.chunks * size + first * s.inner + column, type), std::min(s.chunk, s.reduced - first),
            std::min(column_block, s.inner - column), s.inner, y + line * s.inner + column);
  });
}

// Two buffers in turn: each stage's result is no larger than the one before the last.
class Buffers {
 public:
  explicit Buffers(Workspace& w) : w_(w) {}
  double* next(std::int64_t size) {
    double*& buffer = buffers_[turn_];
    turn_ = 1 - turn_;
    if (!buffer) buffer = w_.array<double>(size);
    return buffer;
  }

 private:
  Workspace& w_;
  double* buffers_[2] = {};
  int turn_ = 0;
};

}  // namespace

void CpuBackend::reduce(Reduction op, const Operand& x, const Target& y, Workspace& w) {
  if (y.shape.elements() == 0) return;
  if (x.shape.elements() == 0) return fill(op == Reduction::sum ? 0 : -__builtin_inf(), y);
  Groups groups = groups_of(x.shape, y.shape);
  Buffers buffers(w);
  Operand from{x.data, y.shape, x.dtype};
  for (int k; (k = groups.innermost_reduced()) >= 0;) {
    const Stage stage = stage_of(groups, k);
    double* const to = buffers.next(stage.outer * stage.chunks * stage.inner);
    const auto which = static_cast<std::size_t>(op);
    if (stage.inner == 1) {
      reduce_rows(kernels_.reduce->rows[which][real_index(from.dtype)], stage, from.data, from.dtype, to);
    } else {
      reduce_columns(kernels_.reduce->columns[which][real_index(from.dtype)], stage, from.data, from.dtype, to);
    }
    Groups rest;
    for (int g = 0; g < groups.count; ++g) rest.add(g == k ? stage.chunks : groups.extent[g], groups.reduced[g]);
    groups = rest;
    from.data = to;
    from.dtype = DType::f64;
  }
  convert(from, y);
}

void CpuBackend::argmax_rows(const Operand& x, const Target& y) {
  const std::int64_t rows = x.shape[0], columns = x.shape[1];
  const auto kernel = kernels_.reduce->argmax_rows[real_index(x.dtype)];
  parallel_ranges(rows, rows_per_grain(columns), [&](std::int64_t begin, std::int64_t end) {
    kernel(at(x.data, begin * columns, x.dtype), end - begin, columns, static_cast<std::int64_t*>(y.data) + begin);
  });
}

double CpuBackend::squares(const Operand& x, Workspace& w) const {
  const std::int64_t n = x.shape.elements(), pieces = ceil_div(n, row_chunk);
  const auto kernel = kernels_.reduce->sum_of_squares[real_index(x.dtype)];
  double* const partial = w.array<double>(pieces);
  for_pieces(x.dtype, pieces, [&](std::int64_t piece) {
    const std::int64_t first = piece * row_chunk;
    partial[piece] = kernel(at(x.data, first, x.dtype), std::min(row_chunk, n - first));
  });
  double sum = 0;
  for (std::int64_t k = 0; k < pieces; ++k) sum += partial[k];
  return sum;
}

void CpuBackend::sum_of_squares(const Operand& x, const Target& y, Workspace& w) {
  write_real(y.data, 0, y.dtype, squares(x, w), y.accumulate);
}

void CpuBackend::normalise(const Operand& x, const Target& y, Workspace& w) {
  const double norm = std::sqrt(squares(x, w));
  if (norm == 0) return fill(0, y);
  const auto kernel = kernels_.reduce->scale_wide[real_index(x.dtype)];
  for_ranges(x.dtype, x.shape.elements(), grain, [&](std::int64_t begin, std::int64_t end) {
    kernel(1 / norm, at(x.data, begin, x.dtype), at(y.data, begin, x.dtype), end - begin);
  });
}

}  // namespace rz::cpu
