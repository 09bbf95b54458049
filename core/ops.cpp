#include "core/ops.h"

#include <vector>

#include "core/error.h"
#include "core/ops_call.h"

namespace rz::ops {

// ---- elementwise ----

void fill(const Tensor& y, double value) { begin("fill", {}, y, 0).fill(value, Destination{y}.target()); }

Tensor scale(double a, const Tensor& x) {
  Tensor y = like(x);
  scale(a, x, Destination{y});
  return y;
}
void scale(double a, const Tensor& x, const Destination& y) {
  check_real("scale", x);
  check_dtype("scale", x, y.tensor);
  check_shape("scale", "the result", y.tensor, x.shape());
  begin("scale", {&x}, y.tensor, x.elements()).scale(a, x.operand(), y.target());
}

void add_to(const Tensor& x, const Destination& y) {
  RZ_CHECK(shape, x.elements() == y.tensor.elements(), "add_to: {} cannot be added to {}", x.shape(), y.tensor.shape());
  if (y.accumulate) return scale(1, x.reshape(y.tensor.shape()), y);
  check_dtype("add_to", x, y.tensor);
  begin("add_to", {&x}, y.tensor, 0).convert(x.operand(), y.target());
}

Tensor scalar(Scalar f, int order, const Tensor& x) {
  check_real("scalar", x);
  Tensor y = like(x);
  begin("scalar", {&x}, y, x.elements()).scalar(f, order, x.operand(), Destination{y}.target());
  return y;
}

Tensor scalar_vjp(Scalar f, const Tensor& kept, const Tensor& d_y) {
  Tensor d_x = like(kept);
  scalar_vjp(f, kept, d_y, Destination{d_x});
  return d_x;
}
void scalar_vjp(Scalar f, const Tensor& kept, const Tensor& d_y, const Destination& d_x) {
  check_shape("scalar_vjp", "d_y", d_y, kept.shape());
  check_shape("scalar_vjp", "d_x", d_x.tensor, kept.shape());
  check_real("scalar_vjp", kept);
  check_dtype("scalar_vjp", kept, d_y);
  check_dtype("scalar_vjp", kept, d_x.tensor);
  begin("scalar_vjp", {&kept, &d_y}, d_x.tensor, 2 * kept.elements())
      .scalar_vjp(f, kept.operand(), d_y.operand(), d_x.target());
}

Shape broadcast(const Shape& a, const Shape& b, const char* operation) {
  const int rank = a.rank() > b.rank() ? a.rank() : b.rank();
  std::int64_t extents[Shape::max_rank];
  for (int k = 0; k < rank; ++k) {  // from the last axis
    const std::int64_t ea = k < a.rank() ? a[a.rank() - 1 - k] : 1, eb = k < b.rank() ? b[b.rank() - 1 - k] : 1;
    RZ_CHECK(shape, ea == eb || ea == 1 || eb == 1,
             "{}: {} and {} do not broadcast: from the last axis on, extents must be equal or 1", operation, a, b);
    extents[rank - 1 - k] = ea == 1 ? eb : ea;
  }
  return Shape(std::span<const std::int64_t>(extents, static_cast<std::size_t>(rank)));
}

namespace {
const char* name(Binary op) {
  switch (op) {
    case Binary::add:
      return "add";
    case Binary::subtract:
      return "subtract";
    case Binary::multiply:
      return "multiply";
    case Binary::divide:
      return "divide";
    case Binary::maximum:
      return "maximum";
  }
  return "?";
}
}  // namespace

Tensor binary(Binary op, const Tensor& a, const Tensor& b) {
  Tensor y(broadcast(a.shape(), b.shape(), name(op)), a.dtype(), a.device());
  binary(op, a, b, Destination{y});
  return y;
}
void binary(Binary op, const Tensor& a, const Tensor& b, const Destination& y) {
  check_real(name(op), a);
  check_dtype(name(op), a, b);
  const Shape& given = y.tensor.shape();
  RZ_CHECK(shape, broadcast(broadcast(a.shape(), b.shape(), name(op)), given, name(op)) == given,
           "{}: {} and {} do not broadcast to the result {}", name(op), a.shape(), b.shape(), given);
  begin(name(op), {&a, &b}, y.tensor, y.tensor.elements()).binary(op, a.operand(), b.operand(), y.target());
}

void broadcast_to(const Tensor& x, const Destination& y) {
  binary(Binary::add, x, Tensor::zeros({}, x.dtype(), x.device()), y);
}

// ---- reductions ----

Tensor reduce(Reduction op, const Tensor& x, std::span<const int> axes, bool keep_axes) {
  check_real("reduce", x);
  Shape kept = x.shape();
  for (const int axis : axes) kept = kept.with(axis_in("reduce", axis, x.shape()), 1);
  RZ_CHECK(shape, op != Reduction::max || x.elements() > 0 || kept.elements() == 0,
           "reduce: the largest element of {} does not exist", x.shape());
  Tensor y(kept, x.dtype(), x.device());
  Workspace w(pool(x.device()));
  begin("reduce", {&x}, y, x.elements()).reduce(op, x.operand(), Destination{y}.target(), w);
  if (keep_axes) return y;
  std::vector<std::int64_t> extents;
  for (int k = 0; k < kept.rank(); ++k) {
    bool reduced = false;
    for (const int axis : axes) reduced |= axis_in("reduce", axis, x.shape()) == k;
    if (!reduced) extents.push_back(x.shape()[k]);
  }
  return y.reshape(Shape(std::span<const std::int64_t>(extents)));
}

Tensor sum(const Tensor& x) {
  const int first[] = {0};
  return reduce(Reduction::sum, x.reshape({x.elements()}), first);
}

void sum_to(const Tensor& x, const Destination& y) {
  check_dtype("sum_to", x, y.tensor);
  const Shape& small = y.tensor.shape();
  RZ_CHECK(shape, broadcast(x.shape(), small, "sum_to") == x.shape(), "sum_to: {} does not broadcast to {}", small,
           x.shape());
  if (small == x.shape()) return add_to(x, y);
  Shape same_rank = small;  // leading ones
  while (same_rank.rank() < x.shape().rank()) same_rank = same_rank.prepended(1);
  const Destination z{y.tensor.reshape(same_rank), y.accumulate};
  Workspace w(pool(x.device()));
  begin("sum_to", {&x}, z.tensor, x.elements()).reduce(Reduction::sum, x.operand(), z.target(), w);
}

Tensor argmax_rows(const Tensor& x) {
  RZ_CHECK(shape, x.shape().rank() == 2 && x.shape()[1] > 0, "argmax_rows: {} must be [rows, columns] with a column",
           x.shape());
  Tensor y({x.shape()[0]}, DType::i64, x.device());
  begin("argmax_rows", {&x}, y, x.elements()).argmax_rows(x.operand(), Destination{y}.target());
  return y;
}

Tensor sum_of_squares(const Tensor& x) {
  check_real("sum_of_squares", x);
  Tensor y({1}, DType::f64, x.device());
  Workspace w(pool(x.device()));
  begin("sum_of_squares", {&x}, y, 2 * x.elements()).sum_of_squares(x.operand(), Destination{y}.target(), w);
  return y;
}

Tensor normalise(const Tensor& x) {
  check_real("normalise", x);
  Tensor y = like(x);
  Workspace w(pool(x.device()));
  begin("normalise", {&x}, y, 3 * x.elements()).normalise(x.operand(), Destination{y}.target(), w);
  return y;
}

// ---- moving data ----

namespace {
Shape permuted(const Shape& shape, std::span<const int> axes) {
  RZ_CHECK(shape, static_cast<int>(axes.size()) == shape.rank(), "permute: {} axes were given for {}", axes.size(),
           shape);
  std::int64_t extents[Shape::max_rank];
  unsigned seen = 0;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const int axis = axis_in("permute", axes[k], shape);
    RZ_CHECK(shape, !(seen >> axis & 1), "permute: axis {} of {} is named twice", axis, shape);
    seen |= 1u << axis;
    extents[k] = shape[axis];
  }
  return Shape(std::span<const std::int64_t>(extents, axes.size()));
}
}  // namespace

Tensor permute(const Tensor& x, std::span<const int> axes) {
  Tensor y(permuted(x.shape(), axes), x.dtype(), x.device());
  permute(x, axes, Destination{y});
  return y;
}
void permute(const Tensor& x, std::span<const int> axes, const Destination& y) {
  check_dtype("permute", x, y.tensor);
  check_shape("permute", "the result", y.tensor, permuted(x.shape(), axes));
  int positive[Shape::max_rank];
  for (std::size_t k = 0; k < axes.size(); ++k) positive[k] = axis_in("permute", axes[k], x.shape());
  begin("permute", {&x}, y.tensor, 0).permute(x.operand(), std::span<const int>(positive, axes.size()), y.target());
}

void copy_block(const Tensor& x, const Shape& x_origin, const Destination& y, const Shape& y_origin,
                const Shape& extent) {
  check_dtype("copy_block", x, y.tensor);
  const int rank = extent.rank();
  RZ_CHECK(shape, x.shape().rank() == rank && y.tensor.shape().rank() == rank,
           "copy_block: {}, {} and {} need one number of axes", x.shape(), y.tensor.shape(), extent);
  for (int k = 0; k < rank; ++k)
    RZ_CHECK(shape, x_origin[k] + extent[k] <= x.shape()[k] && y_origin[k] + extent[k] <= y.tensor.shape()[k],
             "copy_block: a block of {} at {} of {} and {} of {} sticks out", extent, x_origin, x.shape(), y_origin,
             y.tensor.shape());
  begin("copy_block", {&x}, y.tensor, 0).copy_block(x.operand(), x_origin, y.target(), y_origin, extent);
}

namespace {
Shape origin(const Shape& shape) {
  Shape zero = shape;
  for (int k = 0; k < zero.rank(); ++k) zero = zero.with(k, 0);
  return zero;
}
}  // namespace

Tensor slice(const Tensor& x, int axis, std::int64_t first, std::int64_t count) {
  axis = axis_in("slice", axis, x.shape());
  RZ_CHECK(shape, first >= 0 && count >= 0 && count <= x.shape()[axis] && first <= x.shape()[axis] - count,
           "slice: {} entries from {} on are not on axis {} of {}", count, first, axis, x.shape());
  Tensor y(x.shape().with(axis, count), x.dtype(), x.device());
  copy_block(x, origin(x.shape()).with(axis, first), Destination{y}, origin(x.shape()), y.shape());
  return y;
}

Tensor pad(const Tensor& x, int axis, std::int64_t before, std::int64_t after) {
  axis = axis_in("pad", axis, x.shape());
  RZ_CHECK(shape, before >= 0 && after >= 0, "pad: {} before and {} after were given, but neither can be negative",
           before, after);
  Tensor y(x.shape().with(axis, x.shape()[axis] + before + after), x.dtype(), x.device());
  fill(y, 0);
  copy_block(x, origin(x.shape()), Destination{y}, origin(x.shape()).with(axis, before), x.shape());
  return y;
}

Tensor concat(std::span<const Tensor> parts, int axis) {
  RZ_CHECK(shape, !parts.empty(), "concat: at least one tensor is needed, {} were given", parts.size());
  const Shape& first = parts[0].shape();
  axis = axis_in("concat", axis, first);
  std::int64_t total = 0;
  for (const Tensor& part : parts) {
    RZ_CHECK(shape, part.shape().rank() == first.rank() && part.shape().with(axis, 0) == first.with(axis, 0),
             "concat: {} and {} must be equal but for axis {}", first, part.shape(), axis);
    check_dtype("concat", parts[0], part);
    total += part.shape()[axis];
  }
  Tensor y(first.with(axis, total), parts[0].dtype(), parts[0].device());
  std::int64_t at = 0;
  for (const Tensor& part : parts) {
    copy_block(part, origin(first), Destination{y}, origin(first).with(axis, at), part.shape());
    at += part.shape()[axis];
  }
  return y;
}

Tensor gather_rows(const Tensor& table, const Tensor& indices) {
  check_indices("gather_rows", indices);
  RZ_CHECK(shape, table.shape().rank() >= 1, "gather_rows: table {} needs a row axis", table.shape());
  Tensor y(table.shape().with(0, indices.shape()[0]), table.dtype(), table.device());
  begin("gather_rows", {&table, &indices}, y, 0)
      .gather_rows(table.operand(), indices.operand(), Destination{y}.target());
  return y;
}

Tensor gather_columns(const Tensor& x, const Tensor& indices) {
  check_indices("gather_columns", indices);
  RZ_CHECK(shape, x.shape().rank() >= 1, "gather_columns: x {} needs a column axis", x.shape());
  Tensor y(x.shape().with(x.shape().rank() - 1, indices.shape()[0]), x.dtype(), x.device());
  gather_columns(x, indices, Destination{y});
  return y;
}

void gather_columns(const Tensor& x, const Tensor& indices, const Destination& y) {
  check_indices("gather_columns", indices);
  check_real("gather_columns", x);
  check_dtype("gather_columns", x, y.tensor);
  RZ_CHECK(shape, x.shape().rank() >= 1, "gather_columns: x {} needs a column axis", x.shape());
  check_shape("gather_columns", "y", y.tensor, x.shape().with(x.shape().rank() - 1, indices.shape()[0]));
  begin("gather_columns", {&x, &indices}, y.tensor, 0).gather_columns(x.operand(), indices.operand(), y.target());
}

void scatter_add_rows(const Tensor& d_y, const Tensor& indices, const Tensor& d_table) {
  check_indices("scatter_add_rows", indices);
  check_dtype("scatter_add_rows", d_y, d_table);
  check_shape("scatter_add_rows", "d_y", d_y, d_table.shape().with(0, indices.shape()[0]));
  begin("scatter_add_rows", {&d_y, &indices}, d_table, d_y.elements())
      .scatter_add_rows(d_y.operand(), indices.operand(), Destination{d_table, true}.target());
}

Tensor repeat(const Tensor& x, std::int64_t count) {
  Tensor y(x.shape().prepended(count), x.dtype(), x.device());
  broadcast_to(x, Destination{y});
  return y;
}

// ---- products ----

namespace {
Shape product_shape(Transpose op_a, const Shape& a, Transpose op_b, const Shape& b) {
  RZ_CHECK(shape, (a.rank() == 2 || a.rank() == 3) && (b.rank() == 2 || b.rank() == 3),
           "gemm: {} and {} must be matrices or batches of matrices", a, b);
  const std::int64_t m = a[op_a == Transpose::no ? -2 : -1], k = a[op_a == Transpose::no ? -1 : -2];
  const std::int64_t k_b = b[op_b == Transpose::no ? -2 : -1], n = b[op_b == Transpose::no ? -1 : -2];
  RZ_CHECK(shape, k == k_b, "gemm: {}{} and {}{} have inner extents {} and {}, which must be equal", a,
           op_a == Transpose::yes ? "^T" : "", b, op_b == Transpose::yes ? "^T" : "", k, k_b);
  if (a.rank() == 2 && b.rank() == 2) return {m, n};
  const std::int64_t batch_a = a.rank() == 3 ? a[0] : 1, batch_b = b.rank() == 3 ? b[0] : 1;
  RZ_CHECK(shape, batch_a == batch_b || batch_a == 1 || batch_b == 1,
           "gemm: {} and {} have batches {} and {}, which must be equal or 1", a, b, batch_a, batch_b);
  return {batch_a == 1 ? batch_b : batch_a, m, n};
}
}  // namespace

Tensor gemm(Transpose op_a, const Tensor& a, Transpose op_b, const Tensor& b, double alpha) {
  Tensor c(product_shape(op_a, a.shape(), op_b, b.shape()), a.dtype(), a.device());
  gemm(op_a, a, op_b, b, Destination{c}, alpha);
  return c;
}
void gemm(Transpose op_a, const Tensor& a, Transpose op_b, const Tensor& b, const Destination& c, double alpha) {
  check_real("gemm", a);
  check_dtype("gemm", a, b);
  check_dtype("gemm", a, c.tensor);
  const Shape wanted = product_shape(op_a, a.shape(), op_b, b.shape());
  check_shape("gemm", "the result", c.tensor, wanted);
  Workspace w(pool(a.device()));
  const std::int64_t k = a.shape()[op_a == Transpose::no ? -1 : -2];
  begin("gemm", {&a, &b}, c.tensor, 2 * wanted.elements() * k)
      .gemm(op_a, a.operand(), op_b, b.operand(), alpha, c.target(), w);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Scalar f) {
  check_real("linear", x);
  check_dtype("linear", x, weight);
  RZ_CHECK(shape, weight.shape().rank() == 2, "linear: weight {} must be [out, in]", weight.shape());
  RZ_CHECK(shape, x.shape().rank() >= 1 && x.shape().columns() == weight.shape()[1],
           "linear: x {} needs as many columns as weight {} has", x.shape(), weight.shape());
  const std::int64_t out = weight.shape()[0], in = weight.shape()[1];
  if (bias.defined()) {
    check_shape("linear", "bias", bias, {out});
    check_dtype("linear", x, bias);
  }
  Tensor y(x.shape().with(-1, out), x.dtype(), x.device());
  const std::int64_t rows = x.shape().rows();
  Workspace w(pool(x.device()));
  begin("linear", {&x, &weight, if_defined(bias)}, y, 2 * rows * out * in)
      .linear(x.reshape({rows, in}).operand(), weight.operand(), operand_or_none(bias, x.dtype()), f,
              Destination{y.reshape({rows, out})}.target(), w);
  return y;
}

// ---- losses and norms ----

CrossEntropy softmax_cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options,
                                   bool with_gradient) {
  check_real("softmax_cross_entropy", logits);
  check_indices("softmax_cross_entropy", labels);
  RZ_CHECK(shape, logits.shape().rank() == 2 && logits.shape()[0] == labels.shape()[0] && logits.shape()[1] > 0,
           "softmax_cross_entropy: logits {} must be [rows, classes] with as many rows as labels {}", logits.shape(),
           labels.shape());
  const auto per_row = [&] { return Tensor(labels.shape(), logits.dtype(), logits.device()); };
  CrossEntropy result{per_row(), per_row(), with_gradient ? like(logits) : Tensor()};
  begin("softmax_cross_entropy", {&logits, &labels}, result.losses, 5 * logits.elements())
      .softmax_cross_entropy(logits.operand(), labels.operand(), options, Destination{result.losses}.target(),
                             Destination{result.counted}.target(), target_or_none({result.d_logits}, logits.dtype()));
  return result;
}

// ---- random ----

Tensor uniform(const RandomKey& key, const Tensor& state, const Shape& shape, DType dtype) {
  check_state("uniform", state);
  Tensor y(shape, dtype, state.device());
  check_real("uniform", y);
  begin("uniform", {&state}, y, 0).uniform(key, state.operand(), Destination{y}.target());
  return y;
}

Tensor dropout_mask(const RandomKey& key, const Tensor& state, double p, const Shape& shape, DType dtype) {
  RZ_CHECK(value, p >= 0 && p < 1, "dropout: a probability of {} was given, but it must lie in [0, 1)", p);
  check_state("dropout", state);
  Tensor mask(shape, dtype, state.device());
  check_real("dropout", mask);
  begin("dropout_mask", {&state}, mask, 0).dropout_mask(key, state.operand(), p, Destination{mask}.target());
  return mask;
}

}  // namespace rz::ops
