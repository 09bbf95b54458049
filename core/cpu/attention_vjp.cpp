// The vjp of attention, for a block of queries and one block of keys after the other:
//   P^T = e^(S^T - lse),   d_v += P^T d_y,   d_S^T = scale P^T (V d_y^T - <d_y, y>)
//   d_k += d_S^T Q,   d_q^T += K^T d_S^T
// P and d_S are read in rows (all panels of a block side by side), d_S in panels too.
#include <cstring>

#include "core/cpu/attention.h"

namespace rz::cpu {

struct HeadAttention::VjpBlock : Block {
  const AttentionGradients& d;
  void *d_y_panels = nullptr, *d_q_panels = nullptr;                  // d_y^T, d_q^T
  void *q_rows = nullptr, *d_y_rows = nullptr;                        // packed as the right operand
  void *weights = nullptr, *dropped = nullptr, *d_weights = nullptr;  // in rows, in rows, in panels
  void *log_sum_exp = nullptr, *dots = nullptr;
};

void HeadAttention::backward(std::int64_t head, char* scratch, const Operand& y, const Operand& log_sum_exp,
                             const Operand& d_y, const AttentionGradients& d) const {
  const HeadRows q = rows_of(a_.q, head), k = rows_of(a_.k, head), v = rows_of(a_.v, head),
                 y_rows = rows_of({y, 0}, head), d_y_rows = rows_of({d_y, 0}, head);
  clear(d.k, head);
  clear(d.v, head);
  const std::int64_t padded = ceil_div(head_, lanes_) * lanes_, scores_of_block = most_ * keys_in_block;
  VjpBlock b{block_of(head, 0, k, v), d};
  b.q_panels = take(scratch, most_ * head_);
  for (void** array : {&b.d_y_panels, &b.d_q_panels}) *array = take(scratch, most_ * head_);
  for (void** array : {&b.q_rows, &b.d_y_rows}) *array = take(scratch, most_ * padded);
  for (void** array : {&b.weights, &b.d_weights}) *array = take(scratch, scores_of_block);
  for (void** array : {&b.log_sum_exp, &b.dots}) *array = take(scratch, most_);
  b.dropped = dropout() ? take(scratch, scores_of_block) : b.weights;
  b.free = scratch;
  for (; b.first < queries_; b.first += b.count) {
    b.count = std::min(most_, queries_ - b.first);
    b.panels = ceil_div(b.count, lanes_);
    pack(b, q, true, a_.options.scale, b.q_panels);
    pack(b, d_y_rows, true, 1, b.d_y_panels);
    pack(b, q, false, 1, b.q_rows);
    pack(b, d_y_rows, false, 1, b.d_y_rows);
    k_.elementwise->fill[index_of(type_)](0, b.d_q_panels, most_ * head_, false);
    for (std::int64_t i = 0; i < b.panels * lanes_; ++i) {
      const std::int64_t query = std::min(b.first + i, queries_ - 1);  // lanes beyond the last one: any numbers
      write_real(b.dots, i, type_,
                 k_.residual->vjp[real_](y_rows.at(query), d_y_rows.at(query), 1, nullptr, head_, false), false);
      write_real(b.log_sum_exp, i, type_, read_real(log_sum_exp.data, head * queries_ + query, type_), false);
    }
    const std::int64_t end = visible(b);
    for (b.first_key = 0; b.first_key < end; b.first_key += b.keys) {
      b.keys = std::min(keys_in_block, end - b.first_key);
      add_gradients(b);
    }
    if (d.q.x.data) out_of_panels(b, b.d_q_panels, rows_of(d.q, head), d.q.x.accumulate);
  }
}

// What a block of keys adds to d_q, d_k and d_v.
void HeadAttention::add_gradients(const VjpBlock& b) const {
  const std::int64_t row = b.panels * lanes_, panel = b.keys * lanes_, head = b.example * heads_ + b.head;
  scores(b, b.weights, row, lanes_);
  multiply(b.v.at(b.first_key), b.v.row, false, b.d_y_panels, b.d_weights, lanes_, panel, b.keys, row, head_, false);
  for (std::int64_t p = 0; p < b.panels; ++p) {
    void *const weights = at(b.weights, p * lanes_, type_), *const d_weights = at(b.d_weights, p * panel, type_);
    k_.attention->weights[real_](weights, row, b.keys, at(b.log_sum_exp, p * lanes_, type_));
    if (dropout()) {
      const void* const mask = dropout_mask(b, p);
      combine(Binary::multiply, weights, row, mask, lanes_, 1, at(b.dropped, p * lanes_, type_), b.keys);
      combine(Binary::multiply, d_weights, lanes_, mask, lanes_, 1, d_weights, b.keys);
    }
  }
  add_to_rows(b, b.dropped, b.d_y_rows, b.d.v, head);
  for (std::int64_t p = 0; p < b.panels; ++p)
    k_.attention->vjp[real_]({at(b.weights, p * lanes_, type_), at(b.d_weights, p * panel, type_),
                              at(b.dots, p * lanes_, type_), row, b.keys, a_.options.scale});
  add_to_rows(b, b.weights, b.q_rows, b.d.k, head);
  if (b.d.q.x.data)
    multiply(b.k.at(b.first_key), b.k.row, true, b.d_weights, b.d_q_panels, lanes_, head_ * lanes_, head_, row, b.keys,
             true);
}

// d_k or d_v: rows of keys by queries times queries by columns of the head.
void HeadAttention::add_to_rows(const VjpBlock& b, const void* a, const void* rows, const HeadsTarget& d,
                                std::int64_t head) const {
  if (!d.x.data) return;
  const HeadRows to = rows_of(d, head);
  multiply(a, b.panels * lanes_, false, rows, to.at(b.first_key), to.row, lanes_, b.keys, head_, b.count, true);
}

void HeadAttention::clear(const HeadsTarget& d, std::int64_t head) const {
  if (!d.x.data || d.x.accumulate) return;
  const HeadRows rows = rows_of(d, head);
  for (std::int64_t j = 0; j < keys_; ++j) std::memset(rows.at(j), 0, static_cast<std::size_t>(head_) * size_of(type_));
}

void CpuBackend::attention_vjp(const Attention& a, const Operand& y, const Operand& log_sum_exp, const Operand& d_y,
                               const AttentionGradients& d, Workspace& w) {
  if (!kernels_.attention->vjp[real_index(y.dtype)]) return Backend::attention_vjp(a, y, log_sum_exp, d_y, d, w);
  const HeadAttention heads(kernels_, a, y.shape[2]);
  for_pieces_with_scratch(y.dtype, heads.heads(), heads.scratch_bytes(true), w, [&](std::int64_t head, char* scratch) {
    heads.backward(head, scratch, y, log_sum_exp, d_y, d);
  });
}

}  // namespace rz::cpu
