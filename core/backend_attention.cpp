// Attention of primitives: the default body. Example by example, so that one example's scores are there at a time; the
// mask of a dropout is drawn for all of them.
#include <limits>

#include "core/backend.h"

namespace rz {

namespace {

class PrimitiveAttention {
 public:
  PrimitiveAttention(Backend& backend, const Attention& attention, std::int64_t width, Workspace& w)
      : backend_(backend),
        a_(attention),
        type_(attention.q.x.dtype),
        batch_(attention.q.x.shape[0]),
        queries_(attention.q.x.shape[1]),
        keys_(attention.k.x.shape[1]),
        heads_(attention.options.heads),
        head_(width / heads_) {
    if (a_.options.causal) causal_ = causal_mask(w);
    if (a_.options.dropout <= 0) return;
    dropout_ = array({batch_, heads_, queries_, keys_}, w);
    backend_.dropout_mask(a_.options.key, a_.state, a_.options.dropout, dropout_);
  }

  void forward(std::int64_t example, const Target& y, const Target& log_sum_exp, Workspace& w) const {
    const Target s = scores(example, w), largest = array({heads_, queries_, 1}, w), sum = array(largest.shape, w);
    const Target lse{part(log_sum_exp.data, example, heads_ * queries_), largest.shape, type_, false};
    backend_.reduce(Reduction::max, read(s), largest, w);
    backend_.binary(Binary::maximum, read(largest), number(lowest(), w), largest);  // where no key is seen
    backend_.binary(Binary::subtract, read(s), read(largest), s);
    backend_.scalar(ScalarFunction::exp, 0, read(s), s);
    backend_.reduce(Reduction::sum, read(s), sum, w);
    backend_.binary(Binary::maximum, read(sum), number(1, w), sum);  // the largest score's share is 1
    backend_.binary(Binary::divide, read(s), read(sum), s);
    backend_.scalar(ScalarFunction::log, 0, read(sum), sum);
    backend_.binary(Binary::add, read(largest), read(sum), lse);
    drop(example, s);
    const Target y_heads = array({heads_, queries_, head_}, w);
    backend_.gemm(Transpose::no, read(s), Transpose::no, read(split(a_.v, example, w)), 1, y_heads, w);
    join(y_heads, {y, 0}, example, w);
  }

  void backward(std::int64_t example, const Operand& log_sum_exp, const Operand& d_y, const AttentionGradients& d,
                Workspace& w) const {
    const Target p = scores(example, w), d_p = array(p.shape, w), dots = array({heads_, queries_, 1}, w);
    const Target d_out = split({d_y, 0}, example, w), v = split(a_.v, example, w);
    const Operand lse{part(log_sum_exp.data, example, heads_ * queries_), dots.shape, type_};
    backend_.binary(Binary::subtract, read(p), lse, p);
    backend_.scalar(ScalarFunction::exp, 0, read(p), p);
    if (d.v.x.data) {
      Workspace products(w.pool());
      const Target dropped = array(p.shape, products);
      backend_.convert(read(p), dropped);
      drop(example, dropped);
      give(Transpose::yes, dropped, d_out, d.v, example, products);
    }
    backend_.gemm(Transpose::no, read(d_out), Transpose::yes, read(v), 1, d_p, w);
    drop(example, d_p);
    backend_.binary(Binary::multiply, read(p), read(d_p), d_p);
    backend_.reduce(Reduction::sum, read(d_p), dots, w);
    backend_.binary(Binary::multiply, read(p), read(dots), p);
    backend_.binary(Binary::subtract, read(d_p), read(p), d_p);
    backend_.scale(a_.options.scale, read(d_p), d_p);
    Workspace products(w.pool());
    if (d.q.x.data) give(Transpose::no, d_p, split(a_.k, example, products), d.q, example, products);
    if (d.k.x.data) give(Transpose::yes, d_p, split(a_.q, example, products), d.k, example, products);
  }

 private:
  Target array(const Shape& shape, Workspace& w) const {
    return {w.bytes(static_cast<std::size_t>(shape.elements()) * size_of(type_)), shape, type_, false};
  }
  static Operand read(const Target& t) { return {t.data, t.shape, t.dtype}; }
  void* part(const void* data, std::int64_t index, std::int64_t elements) const {
    return static_cast<char*>(const_cast<void*>(data)) + index * elements * static_cast<std::int64_t>(size_of(type_));
  }
  Operand number(double value, Workspace& w) const {
    const Target x = array({1}, w);
    backend_.fill(value, x);
    return read(x);
  }
  double lowest() const {
    return type_ == DType::f32 ? static_cast<double>(std::numeric_limits<float>::lowest())
                               : std::numeric_limits<double>::lowest();
  }

  // -inf for the keys that a query does not see.
  Target causal_mask(Workspace& w) const {
    const Target all = array({queries_, keys_}, w);
    backend_.fill(0, all);
    for (std::int64_t i = 0; i < queries_; ++i) {
      const std::int64_t seen = std::max<std::int64_t>(0, i + keys_ - queries_ + 1);
      if (seen < keys_)
        backend_.fill(-std::numeric_limits<double>::infinity(),
                      {part(part(all.data, i, keys_), seen, 1), {keys_ - seen}, type_, false});
    }
    return all;
  }

  // The heads of an example one after the other, [heads, tokens, head].
  Target split(const HeadsOperand& x, std::int64_t example, Workspace& w) const {
    const std::int64_t tokens = x.x.shape[1];
    const Operand by_heads{x.x.data, {x.x.shape[0], tokens, x.x.shape[2] / head_, head_}, type_};
    Workspace scratch(w.pool());
    const Target rows = array({1, tokens, heads_, head_}, scratch), heads = array({heads_, tokens, head_}, w);
    backend_.copy_block(by_heads, {example, 0, x.column / head_, 0}, rows, {0, 0, 0, 0}, rows.shape);
    const int order[] = {1, 0, 2};
    backend_.permute({rows.data, rows.shape.from(1), type_}, order, heads);
    return heads;
  }
  void join(const Target& heads, const HeadsTarget& x, std::int64_t example, Workspace& w) const {
    const std::int64_t tokens = heads.shape[1];
    const Target rows = array({tokens, heads_, head_}, w);
    const int order[] = {1, 0, 2};
    backend_.permute(read(heads), order, rows);
    const Shape block = rows.shape.prepended(1);
    backend_.copy_block({rows.data, block, type_}, {0, 0, 0, 0},
                        {x.x.data, {x.x.shape[0], tokens, x.x.shape[2] / head_, head_}, type_, x.x.accumulate},
                        {example, 0, x.column / head_, 0}, block);
  }
  void give(Transpose op, const Target& a, const Target& b, const HeadsTarget& x, std::int64_t example,
            Workspace& w) const {  // op(a) b
    const Target product = array({heads_, op == Transpose::no ? a.shape[1] : a.shape[2], head_}, w);
    backend_.gemm(op, read(a), Transpose::no, read(b), 1, product, w);
    join(product, x, example, w);
  }

  Target scores(std::int64_t example, Workspace& w) const {  // [heads, tq, tk], with masks
    const Target s = array({heads_, queries_, keys_}, w);
    Workspace scratch(w.pool());
    backend_.gemm(Transpose::no, read(split(a_.q, example, scratch)), Transpose::yes,
                  read(split(a_.k, example, scratch)), a_.options.scale, s, scratch);
    if (a_.mask.data) backend_.binary(Binary::add, read(s), a_.mask, s);
    if (a_.key_mask.data)
      backend_.binary(Binary::add, read(s), {part(a_.key_mask.data, example, keys_), {keys_}, type_}, s);
    if (causal_.data) backend_.binary(Binary::add, read(s), read(causal_), s);
    return s;
  }
  void drop(std::int64_t example, const Target& weights) const {
    if (!dropout_.data) return;
    const Operand mask{part(dropout_.data, example, weights.shape.elements()), weights.shape, type_};
    backend_.binary(Binary::multiply, read(weights), mask, weights);
  }

  Backend& backend_;
  const Attention& a_;
  DType type_;
  std::int64_t batch_, queries_, keys_, heads_, head_;
  Target causal_, dropout_;
};

}  // namespace

void Backend::attention(const Attention& a, const Target& y, const Target& log_sum_exp, Workspace& w) {
  const PrimitiveAttention all(*this, a, y.shape[2], w);
  for (std::int64_t example = 0; example < y.shape[0]; ++example) {
    Workspace scratch(w.pool());
    all.forward(example, y, log_sum_exp, scratch);
  }
}

void Backend::attention_vjp(const Attention& a, const Operand& y, const Operand& log_sum_exp, const Operand& d_y,
                            const AttentionGradients& d, Workspace& w) {
  const PrimitiveAttention all(*this, a, y.shape[2], w);
  for (std::int64_t example = 0; example < y.shape[0]; ++example) {
    Workspace scratch(w.pool());
    all.backward(example, log_sum_exp, d_y, d, scratch);
  }
}

}  // namespace rz
