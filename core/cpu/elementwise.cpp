#include <cstring>

#include "core/cpu/axes.h"
#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"
#include "core/error.h"

namespace rz::cpu {

namespace {

// Elements per piece: functions of the C library take ten times as long as memory.
std::int64_t grain_of(ScalarFunction f) {
  switch (f) {
    case ScalarFunction::identity:
    case ScalarFunction::relu:
    case ScalarFunction::leaky_relu:
    case ScalarFunction::hard_tanh:
    case ScalarFunction::sqrt:
    case ScalarFunction::square:
    case ScalarFunction::reciprocal:
      return grain;
    default:
      return grain / 8;
  }
}

// Strides of x in elements when it is broadcast to y's shape; axis counts from the last, 0.
std::int64_t extent_from_end(const Shape& shape, int axis) {
  return axis < shape.rank() ? shape[shape.rank() - 1 - axis] : 1;
}

Axes<3> broadcast_axes(const Shape& a, const Shape& b, const Shape& y) {
  Axes<3> axes;
  std::int64_t a_stride = 1, b_stride = 1, y_stride = 1;
  for (int k = 0; k < y.rank(); ++k) {
    const std::int64_t a_extent = extent_from_end(a, k), b_extent = extent_from_end(b, k),
                       extent = extent_from_end(y, k);
    axes.add(extent, {a_extent == 1 ? 0 : a_stride, b_extent == 1 ? 0 : b_stride, y_stride});
    a_stride *= a_extent;
    b_stride *= b_extent;
    y_stride *= extent;
  }
  return axes;
}

}  // namespace

void CpuBackend::fill(double value, const Target& y) {
  const auto kernel = kernels_.elementwise->fill[index_of(y.dtype)];
  parallel_ranges(y.shape.elements(), grain, [&](std::int64_t begin, std::int64_t end) {
    kernel(value, at(y.data, begin, y.dtype), end - begin, y.accumulate);
  });
}

void CpuBackend::convert(const Operand& x, const Target& y) {
  const bool copies = x.dtype == y.dtype && !y.accumulate;
  if (copies && x.data == y.data) return;
  const auto kernel = kernels_.elementwise->convert[index_of(x.dtype)][index_of(y.dtype)];
  parallel_ranges(y.shape.elements(), grain, [&](std::int64_t begin, std::int64_t end) {
    const void* from = at(x.data, begin, x.dtype);
    void* to = at(y.data, begin, y.dtype);
    if (copies) {
      std::memcpy(to, from, static_cast<std::size_t>(end - begin) * size_of(y.dtype));
    } else {
      kernel(from, to, end - begin, y.accumulate);
    }
  });
}

void CpuBackend::scale(double a, const Operand& x, const Target& y) {
  const auto kernel = kernels_.elementwise->scale[real_index(y.dtype)];
  for_ranges(y.dtype, y.shape.elements(), grain, [&](std::int64_t begin, std::int64_t end) {
    kernel(a, at(x.data, begin, x.dtype), at(y.data, begin, y.dtype), end - begin, y.accumulate);
  });
}

void CpuBackend::scalar(Scalar f, int order, const Operand& x, const Target& y) {
  RZ_ASSERT(order >= 0 && order <= 2);
  const auto kernel = kernels_.scalar[static_cast<std::size_t>(f.function)].value[order][real_index(y.dtype)];
  for_ranges(y.dtype, y.shape.elements(), grain_of(f.function), [&](std::int64_t begin, std::int64_t end) {
    kernel(at(x.data, begin, x.dtype), at(y.data, begin, y.dtype), end - begin, f.parameter, y.accumulate);
  });
}

void CpuBackend::scalar_vjp(Scalar f, const Operand& kept, const Operand& d_y, const Target& d_x) {
  const auto kernel = kernels_.scalar[static_cast<std::size_t>(f.function)].vjp[real_index(d_x.dtype)];
  for_ranges(d_x.dtype, d_x.shape.elements(), grain_of(f.function), [&](std::int64_t begin, std::int64_t end) {
    kernel(at(kept.data, begin, kept.dtype), at(d_y.data, begin, d_y.dtype), at(d_x.data, begin, d_x.dtype),
           end - begin, f.parameter, d_x.accumulate);
  });
}

void CpuBackend::binary(Binary op, const Operand& a, const Operand& b, const Target& y) {
  Axes<3> axes = broadcast_axes(a.shape, b.shape, y.shape);
  const std::int64_t columns = axes.extent(0), rows = axes.extent(1);
  BinaryBlock block{
      rows, columns, axes.stride(1, 2), axes.stride(1, 0), axes.stride(0, 0), axes.stride(1, 1), axes.stride(0, 1)};
  axes.remove(1);
  axes.remove(0);
  const auto kernel = kernels_.elementwise->binary[static_cast<std::size_t>(op)][real_index(y.dtype)];
  for_tiles(y.dtype, axes.count(), rows, columns, grain, [&](const Tile& tile) {
    BinaryBlock part = block;
    part.rows = tile.rows;
    part.columns = tile.columns;
    axes.walk(tile.first, tile.last, [&](const Axes<3>::Offsets& offsets) {
      const std::int64_t from_a = offsets[0] + tile.row * block.a_row + tile.column * block.a_column;
      const std::int64_t from_b = offsets[1] + tile.row * block.b_row + tile.column * block.b_column;
      const std::int64_t to = offsets[2] + tile.row * block.y_row + tile.column;
      kernel(part, at(a.data, from_a, a.dtype), at(b.data, from_b, b.dtype), at(y.data, to, y.dtype), y.accumulate);
    });
  });
}

}  // namespace rz::cpu
