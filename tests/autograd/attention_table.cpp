#include <limits>

#include "core/step.h"
#include "support/op_table.h"

namespace rz::test {
namespace {

constexpr double hidden = -std::numeric_limits<double>::infinity();

// A mask [tq, tk] of numbers and hidden keys; query 1 sees none.
Tensor mask_for(const Variable& x, std::int64_t queries, std::int64_t keys) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < queries; ++i)
    for (std::int64_t j = 0; j < keys; ++j)
      values.push_back(i == 1 || (i + 2 * j) % 5 == 4 ? hidden : 0.25 * static_cast<double>((i * 3 + j) % 4));
  return Tensor::of({queries, keys}, values, x.dtype(), x.value().device());
}
// A mask [batch, tk] that hides the last keys of every example but the first.
Tensor key_mask_for(const Variable& x, std::int64_t keys) {
  std::vector<double> values;
  for (std::int64_t b = 0; b < x.shape()[0]; ++b)
    for (std::int64_t j = 0; j < keys; ++j) values.push_back(b > 0 && j >= keys - b ? hidden : 0);
  return Tensor::of({x.shape()[0], keys}, values, x.dtype(), x.value().device());
}

struct Case {
  AttentionOptions options;
  bool mask = false, key_mask = false;

  AttentionMasks masks(const Variable& x, std::int64_t keys, const StepState& state) const {
    return {mask ? mask_for(x, x.shape()[1], keys) : Tensor(), key_mask ? key_mask_for(x, keys) : Tensor(),
            state.tensor()};
  }
  Variable operator()(Inputs x) const {
    StepState state(x[0].value().device());
    state.set(7, 0);
    if (x.size() == 1) return self_attention(x[0], options, masks(x[0], x[0].shape()[1], state));
    return cross_attention(x[0], x[1], options, masks(x[0], x[1].shape()[1], state));
  }
};

}  // namespace

std::vector<OpRow> attention_rows() {
  std::vector<OpRow> rows;
  const auto row = [&](const char* detail, std::vector<Shape> small, std::vector<Shape> large, const Case& call) {
    rows.push_back({.operation = small.size() == 1 ? "self_attention" : "cross_attention",
                    .detail = detail,
                    .small = std::move(small),
                    .large = std::move(large),
                    .call = call,
                    .fused = true,
                    .fused_tolerance = 2});
  };
  row("", {{2, 3, 12}}, {{2, 131, 30}}, {{.heads = 2}});
  row("one head", {{1, 4, 6}}, {{3, 67, 201}}, {{.heads = 1}});
  row("causal", {{2, 4, 12}}, {{2, 301, 24}}, {{.heads = 2, .causal = true}});
  row("scale", {{1, 3, 6}}, {}, {{.heads = 2, .scale = 0.3}});
  row("mask", {{2, 3, 12}}, {{2, 131, 12}}, {{.heads = 2}, true});
  row("mask of keys", {{3, 4, 6}}, {{3, 37, 6}}, {{.heads = 2}, false, true});
  row("all masks", {{3, 4, 6}}, {{3, 133, 24}}, {{.heads = 2, .causal = true}, true, true});
  row("dropout", {{2, 3, 6}}, {{2, 133, 24}}, {{.heads = 2, .dropout = 0.3, .key = {.seed = 3, .stream = 5}}});
  row("causal with dropout and masks", {{2, 3, 6}}, {{2, 37, 24}},
      {{.heads = 2, .causal = true, .dropout = 0.3, .key = {.seed = 3, .stream = 5}}, true, true});
  row("one token", {{2, 1, 6}}, {}, {{.heads = 2}});
  row("no tokens", {{2, 0, 6}}, {}, {{.heads = 2}});
  row("no examples", {{0, 3, 6}}, {}, {{.heads = 2, .causal = true}});

  row("", {{2, 3, 4}, {2, 2, 8}}, {{2, 67, 24}, {2, 259, 48}}, {{.heads = 2}});
  row("causal, more keys", {{2, 2, 4}, {2, 4, 8}}, {{2, 67, 24}, {2, 259, 48}}, {{.heads = 2, .causal = true}});
  row("causal, queries without keys", {{2, 4, 4}, {2, 2, 8}}, {{2, 259, 24}, {2, 67, 48}},
      {{.heads = 2, .causal = true}});
  row("all masks", {{3, 4, 6}, {3, 3, 12}}, {{3, 33, 36}, {3, 129, 72}}, {{.heads = 3}, true, true});
  row("dropout", {{2, 3, 4}, {2, 2, 8}}, {{1, 67, 4}, {1, 131, 8}},
      {{.heads = 2, .dropout = 0.5, .key = {.seed = 3, .stream = 5}}});
  row("one query", {{2, 1, 6}, {2, 5, 12}}, {{3, 1, 24}, {3, 131, 48}}, {{.heads = 2, .causal = true}});
  row("one query, mask of keys", {{2, 1, 6}, {2, 5, 12}}, {}, {{.heads = 2}, false, true});
  row("no keys", {{2, 3, 4}, {2, 0, 8}}, {}, {{.heads = 2}});
  row("mask", {{2, 3, 4}, {2, 3, 8}}, {}, {{.heads = 2}, true});
  return rows;
}

}  // namespace rz::test
