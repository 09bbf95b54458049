#include "nn/attention.h"

#include <cmath>

#include "autograd/ops.h"
#include "core/error.h"
#include "core/random.h"
#include "nn/init.h"

namespace rz::nn {

namespace {

// Equal parts of the values by an initialiser each.
Initializer side_by_side(std::vector<Initializer> parts) {
  return [parts = std::move(parts)](std::span<double> v, Random& random) {
    const std::size_t n = v.size() / parts.size();
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i](v.subspan(i * n, n), random);
  };
}

Initializer given_or(const Initializer& given, const Initializer& otherwise) { return given ? given : otherwise; }

void check_mask(const std::string& name, const char* what, const Tensor& mask, const Shape& wanted) {
  RZ_CHECK(shape, !mask.defined() || mask.shape() == wanted, "attention: {} of {} is {}, but must be {}", what, name,
           mask.shape(), wanted);
}

}  // namespace

MultiheadAttention::MultiheadAttention(ParameterStore& store, const std::string& name,
                                       const MultiheadAttentionOptions& options)
    : name_(name),
      d_model_(options.d_model),
      heads_(options.heads),
      dropout_(options.dropout),
      stream_(stream_named("dropout/" + name)) {
  const std::int64_t d = d_model_;
  RZ_CHECK(value, d > 0 && heads_ > 0 && d % heads_ == 0,
           "attention: {} has {} heads, but they must divide its d_model of {}", name, heads_, d);
  RZ_CHECK(value, dropout_ >= 0 && dropout_ < 1, "attention: {} has a dropout of {}, but it must lie in [0, 1)", name,
           dropout_);
  const double width = static_cast<double>(d);
  const Initializer xavier = init::uniform(std::sqrt(6 / (4 * width)));
  in_weight_ = store.declare(name + ".in_proj_weight", {3 * d, d}, Role::weight,
                             side_by_side({given_or(options.query_init, xavier), given_or(options.key_init, xavier),
                                           init::scaled(given_or(options.value_init, xavier), options.beta)}));
  if (options.bias) in_bias_ = store.declare(name + ".in_proj_bias", {3 * d}, Role::bias, init::constant(0));
  out_weight_ =
      store.declare(name + ".out_proj.weight", {d, d}, Role::weight,
                    init::scaled(given_or(options.out_init, init::uniform(1 / std::sqrt(width))), options.beta));
  if (options.bias) out_bias_ = store.declare(name + ".out_proj.bias", {d}, Role::bias, init::constant(0));
}

Variable MultiheadAttention::forward(const Variable& x, const AttentionCall& call) const {
  check_sequence("x", x);
  const std::int64_t tokens = x.shape()[1];
  const Variable qkv = linear(x, in_weight_, in_bias_.defined() ? in_bias_.variable() : Variable());
  return project_out(self_attention(qkv, attention_options(call), masks(call, x.shape()[0], tokens, tokens)));
}

Variable MultiheadAttention::forward(const Variable& x, const Variable& memory, const AttentionCall& call) const {
  check_sequence("x", x);
  check_sequence("the memory", memory);
  RZ_CHECK(shape, memory.shape()[0] == x.shape()[0], "attention: x {} and the memory {} of {} need one batch",
           x.shape(), memory.shape(), name_);
  return project_out(cross_attention(project_in(x, 0, d_model_), project_in(memory, d_model_, 2 * d_model_),
                                     attention_options(call),
                                     masks(call, x.shape()[0], x.shape()[1], memory.shape()[1])));
}

Variable MultiheadAttention::forward(const Variable& x, KeyValueCache& cache) const {
  check_sequence("x", x);
  const std::int64_t tokens = x.shape()[1], before = cache.tokens, positions = cache.rows.shape()[0];
  RZ_CHECK(shape, x.shape()[0] == 1 && before + tokens <= positions,
           "attention: x {} came to {} after {} tokens, but the cache has {} positions of one sequence", x.shape(),
           name_, before, positions);
  const Tensor next = project_in(x, d_model_, 2 * d_model_).value();
  cache.rows.rows(before, tokens).copy_from(next.reshape({tokens, 2 * d_model_}));
  cache.tokens += tokens;
  const Tensor seen = cache.rows.rows(0, cache.tokens).reshape({1, cache.tokens, 2 * d_model_});
  return project_out(
      cross_attention(project_in(x, 0, d_model_), Variable(seen), {.heads = heads_, .causal = true, .key = {}}));
}

Variable MultiheadAttention::project_in(const Variable& x, std::int64_t first, std::int64_t count) const {
  return linear(x, in_weight_.rows(first, count), in_bias_.defined() ? in_bias_.rows(first, count) : Variable());
}

AttentionOptions MultiheadAttention::attention_options(const AttentionCall& call) const {
  return {.heads = heads_,
          .causal = call.causal,
          .dropout = call.dropout.state ? dropout_ : 0,
          .key = {.seed = call.dropout.seed, .stream = stream_}};
}

AttentionMasks MultiheadAttention::masks(const AttentionCall& call, std::int64_t batch, std::int64_t queries,
                                         std::int64_t keys) const {
  check_mask(name_, "the mask", call.mask, {queries, keys});
  check_mask(name_, "the mask of keys", call.key_mask, {batch, keys});
  return {call.mask, call.key_mask, call.dropout.state ? call.dropout.state->tensor() : Tensor()};
}

void MultiheadAttention::check_sequence(const char* what, const Variable& x) const {
  RZ_CHECK(shape, x.shape().rank() == 3 && x.shape()[2] == d_model_,
           "attention: {} {} of {} must be [batch, tokens, {}]", what, x.shape(), name_, d_model_);
}

Variable MultiheadAttention::project_out(const Variable& y) const {
  return linear(y, out_weight_, out_bias_.defined() ? out_bias_.variable() : Variable());
}

}  // namespace rz::nn
