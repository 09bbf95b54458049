#include <bit>
#include <cstring>

#include "core/cpu/axes.h"
#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"
#include "core/error.h"

namespace rz::cpu {

namespace {

// Strides of a dense array, the innermost axis last.
std::array<std::int64_t, Shape::max_rank> dense_strides(const Shape& shape) {
  std::array<std::int64_t, Shape::max_rank> strides{};
  std::int64_t stride = 1;
  for (int k = shape.rank() - 1; k >= 0; --k) {
    strides[static_cast<std::size_t>(k)] = stride;
    stride *= shape[k];
  }
  return strides;
}

// Moves rows of n elements: copies them, or adds them to what is there.
class RowMover {
 public:
  RowMover(const Kernels& kernels, const Target& y) : type_(y.dtype), accumulate_(y.accumulate) {
    RZ_ASSERT(!accumulate_ || is_real(type_));
    add_ = kernels.elementwise->scale[real_index(type_)];
  }
  void operator()(const void* x, void* y, std::int64_t n) const {
    if (accumulate_) {
      add_(1, x, y, n, true);
    } else {
      std::memcpy(y, x, static_cast<std::size_t>(n) * size_of(type_));
    }
  }

 private:
  DType type_;
  bool accumulate_;
  void (*add_)(double, const void*, void*, std::int64_t, bool);
};

// Axes of array 0, x, and array 1, y. Moves everything, a row at a time: axis 0 where both have stride 1, else single
// elements.
void move_rows(const Kernels& kernels, Axes<2> axes, const void* x, const Target& y) {
  std::int64_t columns = 1;
  if (axes.stride(0, 0) == 1 && axes.stride(0, 1) == 1) {
    columns = axes.extent(0);
    axes.remove(0);
  }
  const std::int64_t rows = axes.extent(0), x_row = axes.stride(0, 0), y_row = axes.stride(0, 1);
  axes.remove(0);
  const RowMover move(kernels, y);
  for_tiles(y.dtype, axes.count(), rows, columns, grain, [&](const Tile& tile) {
    axes.walk(tile.first, tile.last, [&](const Axes<2>::Offsets& offsets) {
      for (std::int64_t r = tile.row; r < tile.row + tile.rows; ++r) {
        move(at(x, offsets[0] + r * x_row + tile.column, y.dtype),
             at(y.data, offsets[1] + r * y_row + tile.column, y.dtype), tile.columns);
      }
    });
  });
}

// The same when x has stride 1 along another axis: tiles of that axis (columns of the transposition) and axis 0 (rows)
// are transposed.
void transpose_tiles(const Kernels& kernels, Axes<2> axes, const void* x, const Target& y) {
  std::size_t across = 1;
  while (across < axes.rank() && axes.stride(across, 0) != 1) ++across;
  RZ_ASSERT(across < axes.rank());
  const std::int64_t rows = axes.extent(0), columns = axes.extent(across);
  const std::int64_t x_row = axes.stride(0, 0), y_row = axes.stride(across, 1);
  axes.remove(across);
  axes.remove(0);
  RZ_ASSERT(!y.accumulate || is_real(y.dtype));
  const auto transpose = y.accumulate ? kernels.move->transpose_add[real_index(y.dtype)]
                                      : kernels.move->transpose[std::countr_zero(size_of(y.dtype))];
  for_tiles(y.dtype, axes.count(), rows, columns, 128, [&](const Tile& tile) {
    axes.walk(tile.first, tile.last, [&](const Axes<2>::Offsets& offsets) {
      transpose(at(x, offsets[0] + tile.row * x_row + tile.column, y.dtype), x_row,
                at(y.data, offsets[1] + tile.column * y_row + tile.row, y.dtype), y_row, tile.rows, tile.columns);
    });
  });
}

// Reads indices[i] and checks it: the host can, and a wrong index would touch foreign memory.
std::int64_t index_at(const char* operation, const Operand& indices, std::int64_t i, std::int64_t extent) {
  const std::int64_t index = static_cast<const std::int64_t*>(indices.data)[i];
  RZ_CHECK(value, index >= 0 && index < extent, "{}: index {} at position {} is not below the extent {} of its axis",
           operation, index, i, extent);
  return index;
}

}  // namespace

void CpuBackend::permute(const Operand& x, std::span<const int> axes, const Target& y) {
  const auto x_strides = dense_strides(x.shape), y_strides = dense_strides(y.shape);
  Axes<2> walked;
  for (std::size_t k = axes.size(); k-- > 0;) {
    walked.add(y.shape[static_cast<int>(k)], {x_strides[static_cast<std::size_t>(axes[k])], y_strides[k]});
  }
  if (walked.empty()) return;
  if (walked.rank() == 0 || walked.stride(0, 0) == 1) {
    move_rows(kernels_, walked, x.data, y);
  } else {
    transpose_tiles(kernels_, walked, x.data, y);
  }
}

void CpuBackend::copy_block(const Operand& x, const Shape& x_origin, const Target& y, const Shape& y_origin,
                            const Shape& extent) {
  const auto x_strides = dense_strides(x.shape), y_strides = dense_strides(y.shape);
  Axes<2> walked;
  std::int64_t from = 0, to = 0;
  for (int k = extent.rank() - 1; k >= 0; --k) {
    const auto axis = static_cast<std::size_t>(k);
    walked.add(extent[k], {x_strides[axis], y_strides[axis]});
    from += x_origin[k] * x_strides[axis];
    to += y_origin[k] * y_strides[axis];
  }
  Target block = y;
  block.data = at(y.data, to, y.dtype);
  move_rows(kernels_, walked, at(x.data, from, x.dtype), block);
}

void CpuBackend::gather_rows(const Operand& table, const Operand& indices, const Target& y) {
  const std::int64_t rows = table.shape[0], count = indices.shape.elements();
  const std::int64_t columns = count > 0 ? y.shape.elements() / count : 0;
  const RowMover move(kernels_, y);
  for_ranges(y.dtype, count, rows_per_grain(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = index_at("gather_rows", indices, i, rows);
      if (columns > 0) move(at(table.data, row * columns, y.dtype), at(y.data, i * columns, y.dtype), columns);
    }
  });
}

namespace {
template <class T>
void gather_columns_of(const Operand& x, const Operand& indices, const Target& y) {
  const std::int64_t columns = x.shape[-1], count = indices.shape[0];
  const auto* index = static_cast<const std::int64_t*>(indices.data);
  const std::int64_t rows = count > 0 ? y.shape.elements() / count : 0;
  for_ranges(y.dtype, rows, rows_per_grain(count), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* from = static_cast<const T*>(x.data) + r * columns;
      T* to = static_cast<T*>(y.data) + r * count;
      for (std::int64_t j = 0; j < count; ++j) {
        const T value = index[j] < 0 ? T(0) : from[index[j]];
        to[j] = y.accumulate ? to[j] + value : value;
      }
    }
  });
}
}  // namespace

void CpuBackend::gather_columns(const Operand& x, const Operand& indices, const Target& y) {
  for (std::int64_t j = 0; j < indices.shape[0]; ++j)
    if (static_cast<const std::int64_t*>(indices.data)[j] != -1) index_at("gather_columns", indices, j, x.shape[-1]);
  if (y.dtype == DType::f32)
    gather_columns_of<float>(x, indices, y);
  else
    gather_columns_of<double>(x, indices, y);
}

// A piece takes a block of columns through all indices, so that every element's additions keep the order of the
// indices. Always adds.
void CpuBackend::scatter_add_rows(const Operand& d_y, const Operand& indices, const Target& d_table) {
  const std::int64_t rows = d_table.shape[0], count = indices.shape.elements();
  if (count == 0) return;
  for (std::int64_t i = 0; i < count; ++i) index_at("scatter_add_rows", indices, i, rows);
  const std::int64_t columns = d_y.shape.elements() / count;
  const auto add = kernels_.elementwise->scale[real_index(d_table.dtype)];
  for_ranges(d_table.dtype, columns, count * columns <= grain ? columns : 128,
             [&](std::int64_t begin, std::int64_t end) {
               for (std::int64_t i = 0; i < count; ++i) {
                 const std::int64_t row = static_cast<const std::int64_t*>(indices.data)[i];
                 add(1, at(d_y.data, i * columns + begin, d_y.dtype),
                     at(d_table.data, row * columns + begin, d_table.dtype), end - begin, true);
               }
             });
}

}  // namespace rz::cpu
