// Attention over heads that stand side by side.

#include <limits>
#include <utility>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "autograd/transforms.h"
#include "core/error.h"
#include "core/ops.h"

namespace rz {

namespace {

// q, k and v of an operation, or tangents of them; undefined where there is none.
struct HeadVariables {
  Variable q, k, v;
};

// The tangent of attention in recorded operations. Matrices of one example's head lie side by side, [batch heads, ...],
// and in them a query's directions: so a primal serves all directions in one product, whether it stands left or right.
class AttentionTangent {
 public:
  AttentionTangent(const HeadVariables& x, const AttentionOptions& options, const AttentionMasks& masks,
                   std::int64_t directions)
      : batch_(x.q.shape()[0]),
        queries_(x.q.shape()[1]),
        keys_(x.k.shape()[1]),
        width_(x.q.shape()[2]),
        heads_(options.heads),
        count_(directions),
        options_(options),
        masks_(masks),
        q_(matrices(x.q)),
        k_(matrices(x.k)),
        v_(matrices(x.v)) {}

  //   t_S = scale (t_q k^T + q t_k^T),   t_P = P (t_S - rowsum(P t_S)),   t_y = t_P v + P t_v;
  //   a dropout's mask multiplies P and t_P before v does
  Variable operator()(const HeadVariables& t) const {
    const Shape flat{batch_ * heads_, queries_, count_ * keys_}, by_direction{batch_ * heads_, queries_, count_, keys_};
    const Variable p = weights();
    const Variable t_s =
        Sum()
            .add(t.q.defined(),
                 [&] { return reshape(matmul(Transpose::no, directions(t.q, true), Transpose::yes, k_), flat); })
            .add(t.k.defined(), [&] { return matmul(Transpose::no, q_, Transpose::yes, directions(t.k, false)); });
    const Variable t_y =
        Sum()
            .add(t_s.defined(),
                 [&] {
                   const Variable scaled = reshape(scale(ops::attention_scale(options_, width_), t_s), by_direction);
                   const Variable p_of_all = reshape(p, {batch_ * heads_, queries_, 1, keys_});
                   const int last[] = {3};
                   const Variable t_p =
                       multiply(p_of_all, subtract(scaled, sum(multiply(p_of_all, scaled), last, true)));
                   const Variable dropped = dropped_of(t_p, {batch_ * heads_, queries_, 1, keys_});
                   return reshape(matmul(reshape(dropped, {batch_ * heads_, queries_ * count_, keys_}), v_), result());
                 })
            .add(t.v.defined(), [&] {
              const Variable side_by_side =
                  reshape(directions(t.v, true), {batch_ * heads_, keys_, count_ * width_ / heads_});
              return reshape(matmul(dropped_of(p, p.shape()), side_by_side), result());
            });
    const int order[] = {3, 0, 2, 1, 4};  // [batch, heads, tq, k, head] -> [k, batch, tq, heads, head]
    return reshape(permute(t_y, order), {count_, batch_, queries_, width_});
  }

 private:
  Shape result() const { return {batch_, heads_, queries_, count_, width_ / heads_}; }

  Variable matrices(const Variable& x) const {  // [batch, tokens, d] -> [batch heads, tokens, head]
    const std::int64_t tokens = x.shape()[1];
    const int order[] = {0, 2, 1, 3};
    return reshape(permute(reshape(x, {batch_, tokens, heads_, width_ / heads_}), order),
                   {batch_ * heads_, tokens, width_ / heads_});
  }
  // [k, batch, tokens, d] -> [batch heads, tokens k, head], or with the directions before the tokens
  Variable directions(const Variable& t, bool after_tokens) const {
    const std::int64_t tokens = t.shape()[2];
    const int after[] = {1, 3, 2, 0, 4}, before[] = {1, 3, 0, 2, 4};
    return reshape(
        permute(reshape(t, {count_, batch_, tokens, heads_, width_ / heads_}), after_tokens ? after : before),
        {batch_ * heads_, tokens * count_, width_ / heads_});
  }

  // P [batch heads, tq, tk]. Masks are bounded from below: scores stay finite, and a query that sees no key has weights
  // 0 by a factor.
  Variable weights() const {
    const Shape by_head{batch_, heads_, queries_, keys_}, all{batch_ * heads_, queries_, keys_};
    const Variable s = scale(ops::attention_scale(options_, width_), matmul(Transpose::no, q_, Transpose::yes, k_));
    const Tensor masks = all_masks();
    if (keys_ == 0 || !masks.defined()) return keys_ == 0 ? s : softmax(s);
    const Tensor floor = constant(-1e30), one = constant(1), bounded = ops::binary(Binary::maximum, masks, floor);
    const int last[] = {3};
    const Tensor above = ops::subtract(ops::reduce(Reduction::max, bounded, last, true), floor);  // 0: no key
    const Tensor seen = ops::subtract(one, ops::binary(Binary::maximum, ops::subtract(one, above), constant(0)));
    const Variable masked = softmax(add(reshape(s, by_head), Variable(bounded)));
    return reshape(multiply(masked, Variable(seen)), all);
  }
  // Their sum, [batch or 1, 1, tq, tk]; undefined when there is none.
  Tensor all_masks() const {
    Tensor sum = options_.causal ? causal_mask() : Tensor();
    const auto add_to_sum = [&sum](const Tensor& mask) { sum = sum.defined() ? ops::add(sum, mask) : mask; };
    if (masks_.mask.defined()) add_to_sum(masks_.mask.reshape({1, 1, queries_, keys_}));
    if (masks_.key_mask.defined()) add_to_sum(masks_.key_mask.reshape({batch_, 1, 1, keys_}));
    return sum;
  }
  Tensor causal_mask() const {
    std::vector<double> values(static_cast<std::size_t>(queries_ * keys_), 0);
    for (std::int64_t i = 0; i < queries_; ++i)
      for (std::int64_t j = std::max<std::int64_t>(0, i + keys_ - queries_ + 1); j < keys_; ++j)
        values[static_cast<std::size_t>(i * keys_ + j)] = -std::numeric_limits<double>::infinity();
    return Tensor::of({1, 1, queries_, keys_}, values, q_.dtype(), q_.value().device());
  }
  Tensor constant(double value) const { return Tensor::full({1}, value, q_.dtype(), q_.value().device()); }

  Variable dropped_of(const Variable& weights, const Shape& mask) const {
    if (options_.dropout == 0) return weights;
    const Shape shape{batch_, heads_, queries_, keys_};
    const Tensor drawn = ops::dropout_mask(options_.key, masks_.state, options_.dropout, shape, q_.dtype());
    return multiply(weights, Variable(drawn.reshape(mask)));
  }

  std::int64_t batch_, queries_, keys_, width_, heads_, count_;
  const AttentionOptions& options_;
  const AttentionMasks& masks_;
  Variable q_, k_, v_;
};

Variable columns(const Variable& x, std::int64_t first, std::int64_t count) {
  return x.defined() ? slice(x, -1, first, count) : Variable();
}

}  // namespace

// y = P v,   P = softmax(S),   S = scale q k^T + masks;   qkv [batch, tokens, 3 d]: q, k and v side by side
//   d_v = P^T d_y,   d_P = d_y v^T,   d_S = P (d_P - rowsum(P d_P)),   d_q = scale d_S k,   d_k = scale d_S^T q
Variable self_attention(const Variable& qkv, const AttentionOptions& options, const AttentionMasks& masks) {
  require_row_independence(options.dropout == 0, "self_attention");
  const Tensor& x = qkv.value();
  RZ_CHECK(shape, x.shape().rank() == 3 && x.shape()[2] % 3 == 0,
           "self_attention: {} must be [batch, tokens, 3 d], q, k and v side by side", x.shape());
  const std::int64_t d_model = x.shape()[2] / 3;
  ops::AttentionTensors a{{x, 0}, {x, d_model}, {x, 2 * d_model}, options, masks};
  const ops::AttentionForward forward = ops::attention(a, d_model);
  return record(
      "self_attention", {qkv}, forward.y,
      [a, forward, d_model](const Tensor& d_y, Gradients& d) {
        if (!d.wanted(0)) return;
        const Destination to = d.destination(0);
        ops::attention_vjp(a, forward, d_y, {{to, 0}, {to, d_model}, {to, 2 * d_model}});
      },
      [&](const Primals& p, const Tangents& t) {
        const auto parts = [&](const Variable& v) {
          return HeadVariables{columns(v, 0, d_model), columns(v, d_model, d_model), columns(v, 2 * d_model, d_model)};
        };
        return AttentionTangent(parts(p[0]), options, masks, t.count())(parts(t[0]));
      });
}

// The same with keys and values of another sequence.   kv [batch, tk, 2 d]: k and v side by side
Variable cross_attention(const Variable& q, const Variable& kv, const AttentionOptions& options,
                         const AttentionMasks& masks) {
  require_row_independence(options.dropout == 0, "cross_attention");
  const Shape &queries = q.shape(), &keys = kv.shape();
  RZ_CHECK(shape, queries.rank() == 3 && keys.rank() == 3 && keys[0] == queries[0] && keys[2] == 2 * queries[2],
           "cross_attention: q {} and kv {} must be [batch, tq, d] and [batch, tk, 2 d]", queries, keys);
  const std::int64_t d_model = queries[2];
  ops::AttentionTensors a{{q.value(), 0}, {kv.value(), 0}, {kv.value(), d_model}, options, masks};
  const ops::AttentionForward forward = ops::attention(a, d_model);
  return record(
      "cross_attention", {q, kv}, forward.y,
      [a, forward, d_model](const Tensor& d_y, Gradients& d) {
        const Destination d_q = d.wanted(0) ? d.destination(0) : Destination{};
        const Destination d_kv = d.wanted(1) ? d.destination(1) : Destination{};
        ops::attention_vjp(a, forward, d_y, {{d_q, 0}, {d_kv, 0}, {d_kv, d_model}});
      },
      [&](const Primals& p, const Tangents& t) {
        const auto parts = [&](const Variable& of_q, const Variable& of_kv) {
          return HeadVariables{of_q, columns(of_kv, 0, d_model), columns(of_kv, d_model, d_model)};
        };
        return AttentionTangent(parts(p[0], p[1]), options, masks,
                                t.count())(parts(t.has(0) ? t[0] : Variable(), t.has(1) ? t[1] : Variable()));
      });
}

}  // namespace rz
