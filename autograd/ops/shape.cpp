// Operations that move data.

#include <vector>

#include "autograd/ops.h"
#include "autograd/ops/lift.h"
#include "autograd/record.h"
#include "core/error.h"
#include "core/ops.h"

namespace rz {

namespace {
Shape origin(int rank) {
  return Shape(std::span<const std::int64_t>(std::vector<std::int64_t>(static_cast<std::size_t>(rank), 0)));
}
int positive_axis(int axis, const Variable& x) { return axis < 0 ? axis + x.shape().rank() : axis; }
}  // namespace

// d_x = d_y, reshaped;   t_y = t_x, reshaped
Variable reshape(const Variable& x, const Shape& shape) {
  return record(
      "reshape", {x}, x.value().reshape(shape),
      [](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) d.pass(0, d_y);
      },
      [shape](const Primals&, const Tangents& t) { return reshape(t[0], shape.prepended(t[0].shape()[0])); });
}

// d_x = d_y summed over what was broadcast;   t_y = t_x, broadcast
Variable broadcast_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  Tensor value(shape, x.dtype(), x.value().device());
  ops::broadcast_to(x.value(), Destination{value});
  return record(
      "broadcast_to", {x}, std::move(value),
      [](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) ops::sum_to(d_y, d.destination(0));
      },
      [shape](const Primals&, const Tangents& t) { return lift_tangent(t[0], shape); });
}

// y's axis k is x's axis axes[k].   d_x = d_y with the inverse order;   t_y = t_x, the first axis left in place
Variable permute(const Variable& x, std::span<const int> axes) {
  std::vector<int> order(axes.begin(), axes.end());
  for (int& axis : order) axis = positive_axis(axis, x);
  Tensor value = ops::permute(x.value(), order);
  return record(
      "permute", {x}, std::move(value),
      [order](const Tensor& d_y, Gradients& d) {
        std::vector<int> inverse(order.size());
        for (std::size_t k = 0; k < order.size(); ++k)
          inverse[static_cast<std::size_t>(order[k])] = static_cast<int>(k);
        if (d.wanted(0)) ops::permute(d_y, inverse, d.destination(0));
      },
      [&order](const Primals&, const Tangents& t) {
        std::vector<int> shifted{0};
        for (const int axis : order) shifted.push_back(axis + 1);
        return permute(t[0], shifted);
      });
}

// y = x[first : first + count] along an axis.   d_x: d_y is added there;   t_y = the same slice of t_x
Variable slice(const Variable& x, int axis, std::int64_t first, std::int64_t count) {
  Tensor value = ops::slice(x.value(), axis, first, count);
  axis = positive_axis(axis, x);
  return record(
      "slice", {x}, std::move(value),
      [axis, first](const Tensor& d_y, Gradients& d) {
        const Shape zero = origin(d_y.shape().rank());
        if (d.wanted(0)) ops::copy_block(d_y, zero, d.accumulator(0), zero.with(axis, first), d_y.shape());
      },
      [=](const Primals&, const Tangents& t) { return slice(t[0], axis + 1, first, count); });
}

// y = x between zeros along an axis.   d_x = the part of d_y where x lies;   t_y = t_x between zeros
Variable pad(const Variable& x, int axis, std::int64_t before, std::int64_t after) {
  Tensor value = ops::pad(x.value(), axis, before, after);
  axis = positive_axis(axis, x);
  return record(
      "pad", {x}, std::move(value),
      [axis, before](const Tensor& d_y, Gradients& d) {
        if (!d.wanted(0)) return;
        const Shape zero = origin(d_y.shape().rank());
        const Destination d_x = d.destination(0);
        ops::copy_block(d_y, zero.with(axis, before), d_x, zero, d_x.tensor.shape());
      },
      [=](const Primals&, const Tangents& t) { return pad(t[0], axis + 1, before, after); });
}

// y = the parts side by side along an axis.   d_part = its part of d_y;   t_y = the tangents side by side, 0 where
// there is none
Variable concat(std::span<const Variable> parts, int axis) {
  RZ_CHECK(shape, !parts.empty(), "concat: at least one tensor is needed, {} were given", parts.size());
  axis = positive_axis(axis, parts[0]);
  std::vector<Tensor> values;
  std::vector<const Variable*> inputs;
  for (const Variable& part : parts) {
    values.push_back(part.value());
    inputs.push_back(&part);
  }
  Tensor value = ops::concat(values, axis);
  std::vector<Shape> shapes;
  for (const Tensor& part : values) shapes.push_back(part.shape());
  return record(
      "concat", std::span<const Variable* const>(inputs), std::move(value),
      [shapes, axis](const Tensor& d_y, Gradients& d) {
        const Shape zero = origin(d_y.shape().rank());
        std::int64_t at = 0;
        for (std::size_t i = 0; i < shapes.size(); ++i) {
          if (d.wanted(static_cast<int>(i)))
            ops::copy_block(d_y, zero.with(axis, at), d.destination(static_cast<int>(i)), zero, shapes[i]);
          at += shapes[i][axis];
        }
      },
      [&](const Primals& p, const Tangents& t) {
        std::vector<Variable> tangents;
        for (std::size_t i = 0; i < parts.size(); ++i)
          tangents.push_back(
              t.has(i) ? t[i]
                       : Variable(Tensor::zeros(shapes[i].prepended(t.count()), p[i].dtype(), p[i].value().device())));
        return concat(tangents, axis + 1);
      });
}

// y[i] = table[indices[i]].   d_table[indices[i]] += d_y[i];   t_y = the same rows of t_table
Variable gather_rows(const Variable& table, const Tensor& indices) {
  Tensor value = ops::gather_rows(table.value(), indices);
  return record(
      "gather_rows", {table}, std::move(value),
      [indices](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) ops::scatter_add_rows(d_y, indices, d.accumulator(0).tensor);
      },
      [&indices](const Primals&,
                 const Tangents& t) {  // rows are the second axis of t: bring them to the front and back
        std::vector<int> swapped;
        for (int axis = 0; axis < t[0].shape().rank(); ++axis) swapped.push_back(axis < 2 ? 1 - axis : axis);
        return permute(gather_rows(permute(t[0], swapped), indices), swapped);
      });
}

// y[..., columns[i]] = x[..., i], else 0.   d_x[..., i] = d_y[..., columns[i]];   t_y = t_x, spread
Variable spread_columns(const Variable& x, std::span<const std::int64_t> columns, std::int64_t count) {
  const auto k = static_cast<std::int64_t>(columns.size());
  RZ_CHECK(shape, x.shape().rank() >= 1 && x.shape()[-1] == k, "spread_columns: x {} needs {} columns, one per index",
           x.shape(), k);
  std::vector<std::int64_t> source(static_cast<std::size_t>(count), -1);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    RZ_CHECK(value, columns[i] >= 0 && columns[i] < count, "spread_columns: index {} is not one of {} columns",
             columns[i], count);
    std::int64_t& from = source[static_cast<std::size_t>(columns[i])];
    RZ_CHECK(value, from < 0, "spread_columns: index {} was given twice", columns[i]);
    from = static_cast<std::int64_t>(i);
  }
  const Device device = x.value().device();
  const Tensor targets = Tensor::of_integers({k}, columns, DType::i64, device);
  return record(
      "spread_columns", {x}, ops::gather_columns(x.value(), Tensor::of_integers({count}, source, DType::i64, device)),
      [targets](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) ops::gather_columns(d_y, targets, d.destination(0));
      },
      [&](const Primals&, const Tangents& t) { return spread_columns(t[0], columns, count); });
}

}  // namespace rz
