// Attention's forward direction, and what both share: the scores of a block, and its dropout.
#include "core/cpu/attention.h"

#include <cstring>
#include <limits>

namespace rz::cpu {

void HeadAttention::out_of_panels(const Block& b, const void* panels, const HeadRows& x, bool accumulate) const {
  for (std::int64_t p = 0; p < b.panels; ++p) {
    const std::int64_t count = std::min(lanes_, b.count - p * lanes_);
    const auto move =
        accumulate ? k_.move->transpose_add[real_] : k_.move->transpose[real_ + 2];  // by size: 4, 8 bytes
    move(at(panels, p * head_ * lanes_, type_), lanes_, x.at(b.query(p, lanes_)), x.row, head_, count);
  }
}

// S^T = scale K Q^T + masks of a block of keys, rows and panels so many elements apart.
void HeadAttention::scores(const Block& b, void* s, std::int64_t row, std::int64_t panel) const {
  multiply(b.k.at(b.first_key), b.k.row, false, b.q_panels, s, row, panel, b.keys, b.panels * lanes_, head_, false);
  for (std::int64_t p = 0; p < b.panels; ++p) {
    void* const part = at(s, p * panel, type_);
    const std::int64_t query = b.query(p, lanes_), count = std::min(lanes_, b.count - p * lanes_);
    if (a_.mask.data) {
      k_.move->transpose[real_ + 2](at(a_.mask.data, query * keys_ + b.first_key, type_), keys_, b.free, lanes_, count,
                                    b.keys);
      combine(Binary::add, part, row, b.free, lanes_, 1, part, b.keys);
    }
    if (a_.key_mask.data)
      combine(Binary::add, part, row, at(a_.key_mask.data, b.example * keys_ + b.first_key, type_), 1, 0, part, b.keys);
    if (a_.options.causal) k_.attention->hide[real_](part, row, b.keys, query + keys_ - queries_ - b.first_key);
  }
}

// The mask of a panel, [keys, lanes]. Rows of it are drawn from the last multiple of four before their first element.
const void* HeadAttention::dropout_mask(const Block& b, std::int64_t panel) const {
  const auto step = static_cast<std::uint64_t>(static_cast<const double*>(a_.state.data)[state_step]);
  char* free = b.free;
  void *const drawn = take(free, keys_in_block + 4), *const rows = take(free, lanes_ * keys_in_block),
              *const mask = take(free, lanes_ * keys_in_block);
  const std::int64_t count = std::min(lanes_, b.count - panel * lanes_);
  for (std::int64_t l = 0; l < count; ++l) {
    const std::int64_t query = (b.example * heads_ + b.head) * queries_ + b.query(panel, lanes_) + l,
                       first = query * keys_ + b.first_key, skipped = first % 4;
    k_.random->dropout_mask[real_](
        {a_.options.key.seed, a_.options.key.stream, step, first - skipped, b.keys + skipped}, a_.options.dropout,
        drawn, false);
    std::memcpy(at(rows, l * keys_in_block, type_), at(drawn, skipped, type_),
                static_cast<std::size_t>(b.keys) * size_of(type_));
  }
  k_.move->transpose[real_ + 2](rows, keys_in_block, mask, lanes_, count, b.keys);
  return mask;
}

void HeadAttention::forward(std::int64_t piece, char* scratch, const Target& y, const Target& log_sum_exp) const {
  const std::int64_t head = piece / blocks(), first = piece % blocks() * most_;
  const HeadRows q = rows_of(a_.q, head), k = rows_of(a_.k, head), v = rows_of(a_.v, head);
  Block b = block_of(head, first, k, v);
  b.q_panels = take(scratch, most_ * head_);
  void* const sums = take(scratch, most_ * head_);  // y^T
  void* const s = take(scratch, most_ * keys_in_block);
  void *const largest = take(scratch, most_), *const sum = take(scratch, most_), *const result = take(scratch, most_);
  b.free = scratch;
  const auto softmax_of = [&](std::int64_t p) {
    return AttentionSoftmaxBlock{at(s, p * b.keys * lanes_, type_),
                                 at(largest, p * lanes_, type_),
                                 at(sum, p * lanes_, type_),
                                 at(sums, p * head_ * lanes_, type_),
                                 b.keys,
                                 head_};
  };
  const double lowest = type_ == DType::f32 ? static_cast<double>(std::numeric_limits<float>::lowest())
                                            : std::numeric_limits<double>::lowest();
  k_.elementwise->fill[index_of(type_)](lowest, largest, most_, false);
  k_.elementwise->fill[index_of(type_)](0, sum, most_, false);
  k_.elementwise->fill[index_of(type_)](0, sums, most_ * head_, false);
  pack(b, q, true, a_.options.scale, b.q_panels);
  for (const std::int64_t end = visible(b); b.first_key < end; b.first_key += b.keys) {
    b.keys = std::min(keys_in_block, end - b.first_key);
    scores(b, s, lanes_, b.keys * lanes_);
    for (std::int64_t p = 0; p < b.panels; ++p) {
      const AttentionSoftmaxBlock block = softmax_of(p);
      k_.attention->softmax[real_](block);
      if (dropout())
        combine(Binary::multiply, block.scores, lanes_, dropout_mask(b, p), lanes_, 1, block.scores, b.keys);
    }
    multiply(v.at(b.first_key), v.row, true, s, sums, lanes_, head_ * lanes_, head_, b.panels * lanes_, b.keys, true);
  }
  for (std::int64_t p = 0; p < b.panels; ++p) k_.attention->finish[real_](softmax_of(p), at(result, p * lanes_, type_));
  std::memcpy(at(log_sum_exp.data, head * queries_ + first, type_), result,
              static_cast<std::size_t>(b.count) * size_of(type_));
  out_of_panels(b, sums, rows_of(HeadsTarget{y, 0}, head), y.accumulate);
}

void CpuBackend::attention(const Attention& a, const Target& y, const Target& log_sum_exp, Workspace& w) {
  if (!kernels_.attention->softmax[real_index(y.dtype)]) return Backend::attention(a, y, log_sum_exp, w);
  if (y.shape.elements() == 0) return;
  const HeadAttention heads(kernels_, a, y.shape[2]);
  for_pieces_with_scratch(y.dtype, heads.heads() * heads.blocks(), heads.scratch_bytes(false), w,
                          [&](std::int64_t piece, char* scratch) {
                            if (heads.is_single_query()) return heads.forward_single(piece, scratch, y, log_sum_exp);
                            heads.forward(piece, scratch, y, log_sum_exp);
                          });
}

}  // namespace rz::cpu
