#include "nn/token_embedding.h"

#include <cmath>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/error.h"
#include "nn/init.h"

namespace rz::nn {

namespace {

constexpr double embedding_bound = 0.1;     // the paper's notebook
constexpr double learned_deviation = 0.02;  // GPT-2

// Element (p, 2 i) is sin(p / 10000^(2 i / d)), (p, 2 i + 1) the cosine.
Initializer sinusoids(std::int64_t d_model) {
  return [d_model](std::span<double> values, Random&) {
    for (std::size_t k = 0; k < values.size(); ++k) {
      const auto position = static_cast<std::int64_t>(k) / d_model, column = static_cast<std::int64_t>(k) % d_model;
      const double pair = static_cast<double>(column - column % 2) / static_cast<double>(d_model);
      const double angle = static_cast<double>(position) / std::pow(10000.0, pair);
      values[k] = column % 2 == 0 ? std::sin(angle) : std::cos(angle);
    }
  };
}

}  // namespace

PositionKind position_kind_named(std::string_view name) {
  if (name == "sinusoidal") return PositionKind::sinusoidal;
  if (name == "learned") return PositionKind::learned;
  RZ_FAIL(value, "positions: {} is neither sinusoidal nor learned", name);
}

TokenEmbedding::TokenEmbedding(ParameterStore& store, const TokenEmbeddingOptions& o)
    : dropout_(o.positions_name, o.dropout) {
  RZ_CHECK(value, o.vocabulary >= 1 && o.positions >= 1,
           "embedding: a vocabulary of {} and {} positions were given, but there must be one of each at least",
           o.vocabulary, o.positions);
  const bool learned = o.kind == PositionKind::learned;
  weight_ = store.declare(o.weight_name, {o.vocabulary, o.d_model}, Role::embedding,
                          o.init ? o.init : init::uniform(embedding_bound));
  positions_ = store.declare(o.positions_name, {o.positions, 1, o.d_model}, learned ? Role::embedding : Role::buffer,
                             learned ? init::normal(learned_deviation) : sinusoids(o.d_model));
}

Variable TokenEmbedding::forward(const Variable& tokens, const DropoutSource& source,
                                 std::int64_t first_position) const {
  const Scope scope("embedding");
  const Shape& shape = tokens.shape();
  RZ_CHECK(shape, shape.rank() == 2, "embedding: tokens {} must be [batch, tokens]", shape);
  const std::int64_t d = weight_.shape()[1], most = positions_.shape()[0], last = first_position + shape[1];
  RZ_CHECK(shape, last <= most, "embedding: a sequence of {} tokens was given, but there are {} positions", last, most);
  const Variable rows = gather_rows(weight_, tokens.value().reshape({shape[0] * shape[1]}));
  const Variable scaled = scale(std::sqrt(static_cast<double>(d)), reshape(rows, {shape[0], shape[1], d}));
  const Variable positions = reshape(slice(positions_, 0, first_position, shape[1]), {shape[1], d});
  return dropout_.forward(add(scaled, positions), source);
}

}  // namespace rz::nn
