// Attention without a matrix of all scores. A block of queries lies in the lanes, in panels as gemm's kernels take and
// write them: S^T = K Q^T for a block of keys, its exponentials in place, y^T += V^T P^T; k and v are read where they
// are. The softmax is taken as the keys come: what was added up is scaled when a larger score is found (Milakov,
// Gimelshein 2018). The vjp computes the weights again from log-sum-exp (Dao et al. 2022): P^T = e^(S^T - lse),
//   d_v += P^T d_y,   d_S^T = scale P^T (V d_y^T - <d_y, y>),   d_k += d_S^T Q,   d_q^T += K^T d_S^T
// A piece is a block of queries, in the vjp an example's head, whose sums over queries are taken in order. Each thread
// has one scratch memory for all its pieces.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

namespace {

constexpr std::int64_t keys_in_block = 128, panels_in_block = 4;

// An example's head of q, k, v or a gradient: rows of a matrix.
struct HeadRows {
  char* data;
  std::int64_t row, bytes;
  void* at(std::int64_t i) const { return data + i * row * bytes; }
};

class HeadAttention {
 public:
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
  std::size_t scratch_bytes(bool backward) const {
    const std::int64_t packed = ceil_div(head_, lanes_) * lanes_, scores = most_ * keys_in_block;
    const std::int64_t mask = dropout() || a_.mask.data ? scores + 2 * lanes_ * (keys_in_block + 4) : 0;
    const std::int64_t numbers =
        backward ? most_ * (3 * head_ + 2 * packed + 2) + 3 * scores + mask : most_ * (2 * head_ + 3) + scores + mask;
    return static_cast<std::size_t>(numbers + 16 * 16) * size_of(type_);  // each array starts at a cache line
  }

  void forward(std::int64_t piece, char* scratch, const Target& y, const Target& log_sum_exp) const;
  void backward(std::int64_t head, char* scratch, const Operand& y, const Operand& log_sum_exp, const Operand& d_y,
                const AttentionGradients& d) const;

 private:
  struct Block {  // of queries of one head, and what is known of them
    std::int64_t example, head, first, count, panels;
    const HeadRows &k, &v;
    void* q_panels;  // scale q^T
    char* free;      // scratch memory
    std::int64_t first_key = 0, keys = 0;
    std::int64_t query(std::int64_t panel, std::int64_t lanes) const { return first + panel * lanes; }
  };

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
  void combine(Binary op, void* x, std::int64_t row, const void* y, std::int64_t y_row, std::int64_t y_column,
               std::int64_t keys) const {  // x = x op y, a panel
    k_.elementwise->binary[static_cast<std::size_t>(op)][real_]({keys, lanes_, row, row, 1, y_row, y_column}, x, y, x,
                                                                false);
  }
  // The queries' keys end here: what comes after, none of them sees.
  std::int64_t visible(const Block& b) const {
    return a_.options.causal ? std::clamp<std::int64_t>(b.first + b.count + keys_ - queries_, 0, keys_) : keys_;
  }
  void out_of_panels(const Block& b, const void* panels, const HeadRows& x, bool accumulate) const;
  void scores(const Block& b, void* s, std::int64_t row, std::int64_t panel) const;
  void dropout_mask(const Block& b, std::int64_t panel, void* mask) const;
  void gradients_of(const Block& b, void* const* arrays, const AttentionGradients& d) const;

  const Kernels& k_;
  const Attention& a_;
  DType type_;
  std::size_t real_;
  std::int64_t queries_, keys_, heads_, head_, lanes_;
  std::int64_t most_;  // queries of a block, in whole panels
};

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
      combine(Binary::add, part, row, b.free, lanes_, 1, b.keys);
    }
    if (a_.key_mask.data)
      combine(Binary::add, part, row, at(a_.key_mask.data, b.example * keys_ + b.first_key, type_), 1, 0, b.keys);
    if (a_.options.causal) k_.attention->hide[real_](part, row, b.keys, query + keys_ - queries_ - b.first_key);
  }
}

// The mask of a panel, [keys, lanes]. Rows of it are drawn from the last multiple of four before their first element.
void HeadAttention::dropout_mask(const Block& b, std::int64_t panel, void* mask) const {
  const auto step = static_cast<std::uint64_t>(static_cast<const double*>(a_.state.data)[state_step]);
  char* free = b.free;
  void* const drawn = take(free, keys_in_block + 4);
  void* const rows = take(free, lanes_ * keys_in_block);
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
}

void HeadAttention::forward(std::int64_t piece, char* scratch, const Target& y, const Target& log_sum_exp) const {
  const std::int64_t head = piece / blocks(), first = piece % blocks() * most_;
  const HeadRows q = rows_of(a_.q, head), k = rows_of(a_.k, head), v = rows_of(a_.v, head);
  const std::int64_t count = std::min(most_, queries_ - first);
  Block b{head / heads_, head % heads_, first, count, ceil_div(count, lanes_), k, v, nullptr, nullptr};
  b.q_panels = take(scratch, most_ * head_);
  void* const sums = take(scratch, most_ * head_);  // y^T
  void* const s = take(scratch, most_ * keys_in_block);
  void *const largest = take(scratch, most_), *const sum = take(scratch, most_), *const result = take(scratch, most_);
  void* const mask = dropout() ? take(scratch, lanes_ * keys_in_block) : nullptr;
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
      if (!mask) continue;
      dropout_mask(b, p, mask);
      combine(Binary::multiply, block.scores, lanes_, mask, lanes_, 1, b.keys);
    }
    multiply(v.at(b.first_key), v.row, true, s, sums, lanes_, head_ * lanes_, head_, b.panels * lanes_, b.keys, true);
  }
  for (std::int64_t p = 0; p < b.panels; ++p) k_.attention->finish[real_](softmax_of(p), at(result, p * lanes_, type_));
  std::memcpy(at(log_sum_exp.data, head * queries_ + first, type_), result,
              static_cast<std::size_t>(count) * size_of(type_));
  out_of_panels(b, sums, rows_of(HeadsTarget{y, 0}, head), y.accumulate);
}

// The arrays of a block of the vjp, in scratch memory.
enum BlockArray : int { d_y_panels, q_rows, d_y_rows, d_q_panels, weights, d_weights, lse, dots, mask, block_arrays };

void HeadAttention::backward(std::int64_t head, char* scratch, const Operand& y, const Operand& log_sum_exp,
                             const Operand& d_y, const AttentionGradients& d) const {
  const HeadRows q = rows_of(a_.q, head), k = rows_of(a_.k, head), v = rows_of(a_.v, head),
                 out = rows_of(HeadsOperand{y, 0}, head), d_out = rows_of(HeadsOperand{d_y, 0}, head);
  const std::int64_t packed = ceil_div(head_, lanes_) * lanes_, scores_of_block = most_ * keys_in_block;
  void* const q_panels = take(scratch, most_ * head_);
  void* arrays[block_arrays] = {};
  const std::int64_t sizes[] = {most_ * head_,   most_ * packed,  most_ * packed, most_ * head_,
                                scores_of_block, scores_of_block, most_,          most_};
  for (int i = 0; i < mask; ++i) arrays[i] = take(scratch, sizes[i]);
  if (dropout()) arrays[mask] = take(scratch, scores_of_block);
  for (const HeadsTarget* target : {&d.k, &d.v}) {
    if (!target->x.data || target->x.accumulate) continue;
    for (std::int64_t j = 0; j < keys_; ++j)
      std::memset(rows_of(*target, head).at(j), 0, static_cast<std::size_t>(head_) * size_of(type_));
  }
  for (std::int64_t first = 0; first < queries_; first += most_) {
    const std::int64_t count = std::min(most_, queries_ - first);
    Block b{head / heads_, head % heads_, first, count, ceil_div(count, lanes_), k, v, q_panels, scratch};
    pack(b, q, true, a_.options.scale, q_panels);
    pack(b, d_out, true, 1, arrays[d_y_panels]);
    pack(b, q, false, 1, arrays[q_rows]);
    pack(b, d_out, false, 1, arrays[d_y_rows]);
    k_.elementwise->fill[index_of(type_)](0, arrays[d_q_panels], most_ * head_, false);
    for (std::int64_t i = 0; i < b.panels * lanes_; ++i) {
      const bool there = i < count;  // lanes beyond the last query: any finite numbers
      const double dot =
          there ? k_.residual->vjp[real_](out.at(first + i), d_out.at(first + i), 1, nullptr, head_, false) : 0;
      write_real(arrays[dots], i, type_, dot, false);
      write_real(arrays[lse], i, type_, there ? read_real(log_sum_exp.data, head * queries_ + first + i, type_) : 0,
                 false);
    }
    for (const std::int64_t end = visible(b); b.first_key < end; b.first_key += b.keys) {
      b.keys = std::min(keys_in_block, end - b.first_key);
      gradients_of(b, arrays, d);
    }
    if (d.q.x.data) out_of_panels(b, arrays[d_q_panels], rows_of(d.q, head), d.q.x.accumulate);
  }
}

// What a block of keys adds to d_q, d_k and d_v. The weights are an operand of rows, all panels side by side.
void HeadAttention::gradients_of(const Block& b, void* const* arrays, const AttentionGradients& d) const {
  const std::int64_t row = b.panels * lanes_, panel = b.keys * lanes_, head = b.example * heads_ + b.head;
  const auto part = [&](BlockArray array, std::int64_t p, std::int64_t stride) {
    return at(arrays[array], p * stride, type_);
  };
  scores(b, arrays[weights], row, lanes_);
  for (std::int64_t p = 0; p < b.panels; ++p)
    k_.attention->weights[real_](part(weights, p, lanes_), row, b.keys, part(lse, p, lanes_));
  multiply(b.v.at(b.first_key), b.v.row, false, arrays[d_y_panels], arrays[d_weights], lanes_, panel, b.keys, row,
           head_, false);
  if (dropout()) {
    for (std::int64_t p = 0; p < b.panels; ++p) {  // weights times mask, where the mask was
      void* const factor = part(mask, p, lanes_);
      char* free = b.free;
      void* const drawn = take(free, lanes_ * keys_in_block);
      Block rest = b;
      rest.free = free;
      dropout_mask(rest, p, drawn);
      combine(Binary::multiply, part(d_weights, p, panel), lanes_, drawn, lanes_, 1, b.keys);
      k_.elementwise->binary[static_cast<std::size_t>(Binary::multiply)][real_](
          {b.keys, lanes_, row, row, 1, lanes_, 1}, part(weights, p, lanes_), drawn, factor, false);
    }
  }
  if (d.v.x.data) {
    const HeadRows d_v = rows_of(d.v, head);
    multiply(arrays[dropout() ? mask : weights], row, false, arrays[d_y_rows], d_v.at(b.first_key), d_v.row, lanes_,
             b.keys, head_, b.count, true);
  }
  for (std::int64_t p = 0; p < b.panels; ++p)
    k_.attention->vjp[real_](
        {part(weights, p, lanes_), part(d_weights, p, panel), part(dots, p, lanes_), row, b.keys, a_.options.scale});
  if (d.k.x.data) {
    const HeadRows d_k = rows_of(d.k, head);
    multiply(arrays[weights], row, false, arrays[q_rows], d_k.at(b.first_key), d_k.row, lanes_, b.keys, head_, b.count,
             true);
  }
  if (d.q.x.data)
    multiply(b.k.at(b.first_key), b.k.row, true, arrays[d_weights], arrays[d_q_panels], lanes_, head_ * lanes_, head_,
             row, b.keys, true);
}

// f(piece, scratch) for all pieces, on as many threads as there are, each with memory of its own.
template <class F>
void for_pieces_with_scratch(DType type, std::int64_t pieces, std::size_t bytes, Workspace& w, F&& f) {
  const std::int64_t workers = std::min<std::int64_t>(threads(), pieces);
  bytes = (bytes + 63) / 64 * 64;
  char* const scratch = static_cast<char*>(w.bytes(bytes * static_cast<std::size_t>(workers)));
  std::atomic<std::int64_t> next{0};
  for_pieces(type, workers, [&](std::int64_t worker) {
    for (std::int64_t piece = next++; piece < pieces; piece = next++)
      f(piece, scratch + bytes * static_cast<std::size_t>(worker));
  });
}

}  // namespace

void CpuBackend::attention(const Attention& a, const Target& y, const Target& log_sum_exp, Workspace& w) {
  if (!kernels_.attention->softmax[real_index(y.dtype)]) return Backend::attention(a, y, log_sum_exp, w);
  if (y.shape.elements() == 0) return;
  const HeadAttention heads(kernels_, a, y.shape[2]);
  for_pieces_with_scratch(y.dtype, heads.heads() * heads.blocks(), heads.scratch_bytes(false), w,
                          [&](std::int64_t piece, char* scratch) { heads.forward(piece, scratch, y, log_sum_exp); });
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
