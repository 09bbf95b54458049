// Attention without a matrix of all scores. A block of queries lies in the lanes, in panels as gemm's kernels take and
// write them: S^T = K Q^T for a block of keys, its exponentials in place, y^T += V^T P^T; k and v are read where they
// are. The softmax is taken as the keys come: what was added up is scaled when a larger score is found (Milakov,
// Gimelshein 2018). The vjp computes the weights again from log-sum-exp (Dao et al. 2022). A piece is a block of
// queries, in the vjp a head of an example, whose sums over queries are taken in order. Private.
#pragma once

#include <algorithm>
#include <atomic>

#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

// An example's head of q, k, v or a gradient: rows of a matrix.
struct HeadRows {
  char* data;
  std::int64_t row, bytes;
  void* at(std::int64_t i) const { return data + i * row * bytes; }
};

class HeadAttention {
 public:
  static constexpr std::int64_t keys_in_block = 128, panels_in_block = 4;

  HeadAttention(const Kernels& kernels, const Attention& attention, std::int64_t width)
      : k_(kernels),
        a_(attention),
        type_(attention.q.x.dtype),
        real_(real_index(type_)),
        queries_(attention.q.x.shape[1]),
        keys_(attention.k.x.shape[1]),
        heads_(attention.options.heads),
        head_(width / heads_),
        lanes_(kernels.gemm->width[real_]),
        most_(std::min(panels_in_block, ceil_div(queries_, lanes_)) * lanes_) {}

  std::int64_t heads() const { return a_.q.x.shape[0] * heads_; }  // of all examples
  std::int64_t blocks() const { return ceil_div(queries_, most_); }
  bool is_single_query() const;  // that sees every key: attention_query.cpp
  std::size_t scratch_bytes(bool backward) const {
    if (!backward && is_single_query()) return static_cast<std::size_t>(keys_ + 2 * lanes_) * size_of(type_) + 2 * 64;
    const std::int64_t padded = ceil_div(head_, lanes_) * lanes_, scores = most_ * keys_in_block;
    const std::int64_t mask = dropout() || a_.mask.data ? scores + (2 * lanes_ + 1) * (keys_in_block + 4) : 0;
    const std::int64_t numbers =
        backward ? most_ * (3 * head_ + 2 * padded + 2) + 2 * scores : most_ * (2 * head_ + 3) + scores;
    constexpr std::int64_t most_arrays = 16;  // each starts at a cache line
    return static_cast<std::size_t>(numbers + mask) * size_of(type_) + most_arrays * 64;
  }

  void forward(std::int64_t piece, char* scratch, const Target& y, const Target& log_sum_exp) const;
  void forward_single(std::int64_t head, char* scratch, const Target& y, const Target& log_sum_exp) const;
  void backward(std::int64_t head, char* scratch, const Operand& y, const Operand& log_sum_exp, const Operand& d_y,
                const AttentionGradients& d) const;

 private:
  struct Block {  // of queries of one head, and what is known of them
    std::int64_t example, head, first, count, panels;
    HeadRows k, v;
    std::int64_t first_key = 0, keys = 0;
    void* q_panels = nullptr;  // scale q^T
    char* free = nullptr;      // scratch memory
    std::int64_t query(std::int64_t panel, std::int64_t lanes) const { return first + panel * lanes; }
  };

  struct VjpBlock;  // attention_vjp.cpp

  Block block_of(std::int64_t head, std::int64_t first, const HeadRows& k, const HeadRows& v) const {
    const std::int64_t count = std::min(most_, queries_ - first);
    return {head / heads_, head % heads_, first, count, ceil_div(count, lanes_), k, v};
  }
  bool dropout() const { return a_.options.dropout > 0; }
  void* take(char*& scratch, std::int64_t numbers) const {
    constexpr std::size_t line = 64;
    void* const start = scratch;
    scratch += (static_cast<std::size_t>(numbers) * size_of(type_) + line - 1) / line * line;
    return start;
  }
  HeadRows rows_of(const void* data, const Shape& shape, std::int64_t column, std::int64_t head) const {
    const std::int64_t first = head / heads_ * shape[1] * shape[2] + column + head % heads_ * head_;
    return {static_cast<char*>(const_cast<void*>(at(data, first, type_))), shape[2],
            static_cast<std::int64_t>(size_of(type_))};
  }
  HeadRows rows_of(const HeadsOperand& x, std::int64_t head) const {
    return rows_of(x.x.data, x.x.shape, x.column, head);
  }
  HeadRows rows_of(const HeadsTarget& x, std::int64_t head) const {
    return rows_of(x.x.data, x.x.shape, x.column, head);
  }
  // Queries of a block: transposed, or as they are.
  void pack(const Block& b, const HeadRows& x, bool transposed, double scale, void* panels) const {
    const std::int64_t k = transposed ? head_ : b.count, columns = transposed ? b.count : head_;
    k_.gemm->pack[real_]({x.at(b.first), x.row, k, columns, transposed, k * lanes_}, scale, panels);
  }
  void multiply(const void* a, std::int64_t a_row, bool transposed, const void* panels, void* c, std::int64_t c_row,
                std::int64_t c_panel, std::int64_t rows, std::int64_t columns, std::int64_t k, bool accumulate) const {
    k_.gemm->multiply[real_](
        {a, panels, nullptr, nullptr, c, a_row, c_row, c_panel, rows, columns, k, transposed, accumulate});
  }
  void combine(Binary op, const void* x, std::int64_t row, const void* y, std::int64_t y_row, std::int64_t y_column,
               void* to, std::int64_t keys) const {  // to = x op y, panels; rows of x and `to` are `row` apart
    k_.elementwise->binary[static_cast<std::size_t>(op)][real_]({keys, lanes_, row, row, 1, y_row, y_column}, x, y, to,
                                                                false);
  }
  // The queries' keys end here: what comes after, none of them sees.
  std::int64_t visible(const Block& b) const {
    return a_.options.causal ? std::clamp<std::int64_t>(b.first + b.count + keys_ - queries_, 0, keys_) : keys_;
  }
  template <class T>
  void softmax_in_place(void* weights, char* scratch, T& log_sum_exp) const;
  void out_of_panels(const Block& b, const void* panels, const HeadRows& x, bool accumulate) const;
  void scores(const Block& b, void* s, std::int64_t row, std::int64_t panel) const;
  const void* dropout_mask(const Block& b, std::int64_t panel) const;
  void add_gradients(const VjpBlock& b) const;
  void add_to_rows(const VjpBlock& b, const void* a, const void* rows, const HeadsTarget& d, std::int64_t head) const;
  void clear(const HeadsTarget& d, std::int64_t head) const;

  const Kernels& k_;
  const Attention& a_;
  DType type_;
  std::size_t real_;
  std::int64_t queries_, keys_, heads_, head_, lanes_;
  std::int64_t most_;  // queries of a block, in whole panels
};

}  // namespace rz::cpu
