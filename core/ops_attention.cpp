// Attention over heads that stand side by side.
#include <cmath>

#include "core/error.h"
#include "core/ops.h"
#include "core/ops_call.h"

namespace rz::ops {

namespace {

void check_heads(const char* name, const char* what, const HeadsTensor& h, const Shape& x) {
  RZ_CHECK(shape, h.x.shape().rank() == 3 && h.column >= 0 && h.column + x[2] <= h.x.shape()[2],
           "{}: {} {} must be [batch, tokens, columns] with {} columns from {} on", name, what, h.x.shape(), x[2],
           h.column);
  check_shape(name, what, h.x, x.with(2, h.x.shape()[2]));
}

void check_attention(const char* name, const AttentionTensors& a, std::int64_t width) {
  check_real(name, a.q.x);
  RZ_CHECK(shape, a.q.x.shape().rank() == 3 && a.k.x.shape().rank() == 3,
           "{}: {} and {} must be [batch, tokens, columns]", name, a.q.x.shape(), a.k.x.shape());
  const std::int64_t batch = a.q.x.shape()[0], queries = a.q.x.shape()[1], keys = a.k.x.shape()[1],
                     heads = a.options.heads;
  RZ_CHECK(shape, heads > 0 && width > 0 && width % heads == 0, "{}: {} heads do not divide {} columns", name, heads,
           width);
  check_heads(name, "q", a.q, {batch, queries, width});
  check_heads(name, "k", a.k, {batch, keys, width});
  check_heads(name, "v", a.v, {batch, keys, width});
  for (const Tensor* x : {&a.k.x, &a.v.x}) check_dtype(name, a.q.x, *x);
  if (a.masks.mask.defined()) {
    check_shape(name, "the mask", a.masks.mask, {queries, keys});
    check_dtype(name, a.q.x, a.masks.mask);
  }
  if (a.masks.key_mask.defined()) {
    check_shape(name, "the mask of keys", a.masks.key_mask, {batch, keys});
    check_dtype(name, a.q.x, a.masks.key_mask);
  }
  const double p = a.options.dropout;
  RZ_CHECK(value, p >= 0 && p < 1, "{}: a dropout of {} was given, but it must lie in [0, 1)", name, p);
  if (p > 0) {
    RZ_CHECK(value, a.masks.state.defined(), "{}: a dropout of {} needs a step state", name, p);
    check_state(name, a.masks.state);
  }
}

HeadsOperand operand(const HeadsTensor& h) { return {h.x.operand(), h.column}; }

Attention call_of(const AttentionTensors& a, std::int64_t width) {
  const DType type = a.q.x.dtype();
  Attention call{operand(a.q),
                 operand(a.k),
                 operand(a.v),
                 operand_or_none(a.masks.mask, type),
                 operand_or_none(a.masks.key_mask, type),
                 operand_or_none(a.masks.state, DType::f64),
                 a.options};
  call.options.scale = attention_scale(a.options, width);
  return call;
}

std::int64_t multiplications(const AttentionTensors& a, std::int64_t width) {  // of one product
  return a.q.x.shape()[0] * a.q.x.shape()[1] * a.k.x.shape()[1] * width;
}

}  // namespace

double attention_scale(const AttentionOptions& options, std::int64_t width) {
  return options.scale != 0 ? options.scale
                            : 1 / std::sqrt(static_cast<double>(width) / static_cast<double>(options.heads));
}

AttentionForward attention(const AttentionTensors& a, std::int64_t width) {
  check_attention("attention", a, width);
  const Tensor& x = a.q.x;
  const std::int64_t batch = x.shape()[0], queries = x.shape()[1];
  const AttentionForward out{Tensor({batch, queries, width}, x.dtype(), x.device()),
                             Tensor({batch, a.options.heads, queries}, x.dtype(), x.device())};
  Workspace w(pool(x.device()));
  begin("attention",
        {&a.q.x, &a.k.x, &a.v.x, if_defined(a.masks.mask), if_defined(a.masks.key_mask), if_defined(a.masks.state)},
        out.y, 4 * multiplications(a, width))
      .attention(call_of(a, width), Destination{out.y}.target(), Destination{out.log_sum_exp}.target(), w);
  return out;
}

void attention_vjp(const AttentionTensors& a, const AttentionForward& forward, const Tensor& d_y,
                   const AttentionDestinations& d) {
  const std::int64_t width = forward.y.shape()[2];
  check_attention("attention_vjp", a, width);
  check_shape("attention_vjp", "d_y", d_y, forward.y.shape());
  check_dtype("attention_vjp", a.q.x, d_y);
  const auto target = [&](const HeadsTensor& x, const HeadsDestination& to) {
    check_output("attention_vjp", "a gradient", to.x,
                 x.x.shape().with(2, to.x.tensor.defined() ? to.x.tensor.shape()[-1] : 0), x.x);
    return HeadsTarget{target_or_none(to.x, a.q.x.dtype()), to.column};
  };
  Workspace w(pool(d_y.device()));
  begin("attention_vjp", {&a.q.x, &a.k.x, &a.v.x, &forward.y, &forward.log_sum_exp}, d_y,
        10 * multiplications(a, width))
      .attention_vjp(call_of(a, width), forward.y.operand(), forward.log_sum_exp.operand(), d_y.operand(),
                     {target(a.q, d.q), target(a.k, d.k), target(a.v, d.v)}, w);
}

}  // namespace rz::ops
