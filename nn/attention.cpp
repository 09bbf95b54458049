#include "nn/attention.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "core/error.h"
#include "core/random.h"
#include "nn/init.h"

namespace rz::nn {

namespace {

thread_local AttentionProbe* attention_probe = nullptr;

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
  const AttentionOptions options = attention_options(call);
  const AttentionMasks hidden = masks(call, x.shape()[0], tokens, tokens);
  if (attention_probe) attention_probe->report_({qkv.value(), options, hidden});
  return project_out(self_attention(qkv, options, hidden));
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

AttentionProbe::AttentionProbe(Report report) : report_(std::move(report)), outer_(attention_probe) {
  attention_probe = this;
}
AttentionProbe::~AttentionProbe() { attention_probe = outer_; }

namespace {

// e^(x - largest) / sum in place; 0 throughout where all are -inf.
void softmax_row(std::span<double> x) {
  const double largest = *std::ranges::max_element(x);
  double sum = 0;
  for (double& v : x) sum += v = std::isinf(largest) ? 0 : std::exp(v - largest);
  for (double& v : x) v = sum > 0 ? v / sum : 0;
}

// Numbers on the host by index; without a tensor they are 0.
class OnHost {
 public:
  explicit OnHost(const Tensor& x) : values_(x.defined() ? x.to_vector() : std::vector<double>()) {}
  double operator[](std::int64_t i) const { return values_.empty() ? 0 : values_[static_cast<std::size_t>(i)]; }

 private:
  std::vector<double> values_;
};

}  // namespace

Tensor attention_weights(const SelfAttentionValues& values) {
  const std::int64_t batch = values.qkv.shape()[0], tokens = values.qkv.shape()[1], row = values.qkv.shape()[2],
                     heads = values.options.heads, head = row / 3 / heads;
  const double scale = values.options.scale == 0 ? 1 / std::sqrt(static_cast<double>(head)) : values.options.scale;
  const OnHost qkv(values.qkv), mask(values.masks.mask), key_mask(values.masks.key_mask);
  std::vector<double> weights(static_cast<std::size_t>(batch * heads * tokens * tokens));
  for (std::int64_t at = 0; at < batch * heads * tokens; ++at) {  // a query of a head
    const std::int64_t i = at % tokens, b = at / tokens / heads, first = at / tokens % heads * head;
    const std::span<double> scores =
        std::span(weights).subspan(static_cast<std::size_t>(at * tokens), static_cast<std::size_t>(tokens));
    for (std::int64_t j = 0; j < tokens; ++j) {
      double sum = 0;
      for (std::int64_t c = first; c < first + head; ++c)
        sum += qkv[(b * tokens + i) * row + c] * qkv[(b * tokens + j) * row + row / 3 + c];
      const bool seen = !values.options.causal || j <= i;
      scores[static_cast<std::size_t>(j)] =
          seen ? scale * sum + mask[i * tokens + j] + key_mask[b * tokens + j] : -INFINITY;
    }
    softmax_row(scores);
  }
  return Tensor::of({batch, heads, tokens, tokens}, weights);
}

Variable MultiheadAttention::project_out(const Variable& y) const {
  return linear(y, out_weight_, out_bias_.defined() ? out_bias_.variable() : Variable());
}

}  // namespace rz::nn
