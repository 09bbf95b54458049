// MultiheadAttention: every head attends with queries, keys and values of its own (Vaswani et al. 2017, 1706.03762, Eq.
// 1). Parameters, named as PyTorch's: NAME.in_proj_weight [3 d, d] and NAME.in_proj_bias [3 d], the rows of queries,
// keys and values in this order, NAME.out_proj.weight [d, d], NAME.out_proj.bias [d].
#pragma once

#include <functional>

#include "core/ops.h"
#include "nn/module.h"

namespace rz::nn {

struct MultiheadAttentionOptions {
  std::int64_t d_model = 0;
  std::int64_t heads = 1;  // a divisor of d_model
  bool bias = true;
  double dropout = 0;  // p of the attention weights, [0, 1)
  // Of the three blocks [d, d] of in_proj_weight, in this order; default: Xavier's uniform bound of all [3 d, d].
  // Biases start at 0.
  Initializer query_init{}, key_init{}, value_init{};
  Initializer out_init{};  // default: uniform(1 / sqrt(d))
  double beta = 1;         // factor on the initial values and output matrices: a form's beta (nn/forms.h)
};

// What a call may be given besides the sequences. Masks have x's type and are added to the scores; -inf hides a key.
struct AttentionCall {
  bool causal = false;      // query i sees the keys j <= i + tk - tq
  Tensor mask{};            // [tq, tk]
  Tensor key_mask{};        // [batch, tk]
  DropoutSource dropout{};  // Model::dropout_source()
};

// Keys and values [positions, 2 d] of the first tokens of one sequence, for text that grows token by token.
struct KeyValueCache {
  Tensor rows;
  std::int64_t tokens = 0;
};

// What self-attention is made of.
struct SelfAttentionValues {
  const Tensor& qkv;  // [batch, tokens, 3 d]
  const AttentionOptions& options;
  const AttentionMasks& masks;
};
// softmax(scale q k^T + masks), f64 on the host, [batch, heads, tokens, tokens]; 0 for a query that sees no key.
Tensor attention_weights(const SelfAttentionValues& values);

// While it lives on this thread, every self-attention reports.
class AttentionProbe {
 public:
  using Report = std::function<void(const SelfAttentionValues&)>;
  explicit AttentionProbe(Report report);
  ~AttentionProbe();
  AttentionProbe(const AttentionProbe&) = delete;
  AttentionProbe& operator=(const AttentionProbe&) = delete;

 private:
  friend class MultiheadAttention;
  Report report_;
  AttentionProbe* outer_;
};

class MultiheadAttention : public Module {
 public:
  // Throws: value (heads that do not divide d_model, dropout outside [0, 1)).
  MultiheadAttention(ParameterStore& store, const std::string& name, const MultiheadAttentionOptions& options);
  Variable forward(const Variable& x) const override { return forward(x, AttentionCall{}); }
  // x [batch, tokens, d] -> the same.   Throws: shape, naming the array and both shapes.
  Variable forward(const Variable& x, const AttentionCall& call) const;
  // Queries of x [batch, tq, d], keys and values of memory [batch, tk, d] -> [batch, tq, d].   Throws: shape.
  Variable forward(const Variable& x, const Variable& memory, const AttentionCall& call = {}) const;

  // Causal self-attention of the next tokens x [1, tokens, d] to themselves and to those in the cache, which takes in
  // theirs. Values only.   Throws: shape (the cache is full).
  Variable forward(const Variable& x, KeyValueCache& cache) const;

 private:
  // Rows [first, first + count) of the input projection.
  Variable project_in(const Variable& x, std::int64_t first, std::int64_t count) const;
  AttentionOptions attention_options(const AttentionCall& call) const;
  AttentionMasks masks(const AttentionCall& call, std::int64_t batch, std::int64_t queries, std::int64_t keys) const;
  void check_sequence(const char* what, const Variable& x) const;
  Variable project_out(const Variable& y) const;

  std::string name_;
  std::int64_t d_model_, heads_;
  double dropout_;
  std::uint64_t stream_;
  Parameter in_weight_, in_bias_, out_weight_, out_bias_;
};

}  // namespace rz::nn
