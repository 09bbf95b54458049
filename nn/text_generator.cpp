#include "nn/text_generator.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.h"

namespace rz::nn {

namespace {

struct Candidate {
  std::int64_t token;
  double weight;  // relative to the likeliest token's, which is 1
};

// The likeliest first, equally likely ones as they come.
std::vector<Candidate> candidates(std::span<const double> logits, const SamplingOptions& options) {
  const double largest = *std::ranges::max_element(logits);
  std::vector<Candidate> all;
  all.reserve(logits.size());
  for (const double logit : logits) all.push_back({std::ssize(all), std::exp((logit - largest) / options.temperature)});
  if (options.top_k == 0 && options.top_p == 1) return all;  // in any order
  std::ranges::stable_sort(all, std::greater<>(), &Candidate::weight);
  if (options.top_k > 0 && options.top_k < std::ssize(all)) all.resize(static_cast<std::size_t>(options.top_k));
  return all;
}

double total_of(const std::vector<Candidate>& all) {
  return std::accumulate(all.begin(), all.end(), 0.0, [](double sum, const Candidate& c) { return sum + c.weight; });
}

void keep_top_p(std::vector<Candidate>& all, double top_p) {
  const double wanted = top_p * total_of(all);
  double sum = 0;
  std::size_t kept = 0;
  while (kept < all.size() && sum < wanted) sum += all[kept++].weight;
  all.resize(std::max<std::size_t>(kept, 1));
}

void check_finite(std::span<const double> logits) {
  RZ_CHECK(value, std::ranges::all_of(logits, [](double logit) { return std::isfinite(logit); }),
           "sample: the network's outputs are not finite (take an earlier checkpoint)");
}

}  // namespace

void check(const SamplingOptions& options) {
  RZ_CHECK(value, options.temperature >= 0 && std::isfinite(options.temperature),
           "sampling: the temperature is {}, but must be 0 or more", options.temperature);
  RZ_CHECK(value, options.top_k >= 0, "sampling: top-k is {}, but must be 0 (all tokens) or more", options.top_k);
  RZ_CHECK(value, options.top_p > 0 && options.top_p <= 1, "sampling: top-p is {}, but must lie in (0, 1]",
           options.top_p);
}

std::int64_t draw_token(std::span<const double> logits, const SamplingOptions& options, Random& random) {
  check_finite(logits);
  const double u = random.uniform();
  if (options.temperature == 0) return std::ranges::max_element(logits) - logits.begin();
  std::vector<Candidate> all = candidates(logits, options);
  if (options.top_p < 1) keep_top_p(all, options.top_p);
  double left = u * total_of(all);
  for (const Candidate& c : all) {
    left -= c.weight;
    if (left < 0) return c.token;
  }
  return all.back().token;  // u was next to 1, and sums are rounded
}

TextGenerator::TextGenerator(const CharTransformer& model, std::int64_t vocabulary, const SamplingOptions& options,
                             Random random)
    : model_(model), vocabulary_(vocabulary), options_(options), random_(random), caches_(model.caches()) {
  check(options);
  RZ_CHECK(value, vocabulary >= 1 && vocabulary <= model.options().vocabulary,
           "sample: a vocabulary of {} was given, but the model has {} outputs", vocabulary,
           model.options().vocabulary);
}

void TextGenerator::read(std::span<const std::int64_t> tokens) {
  if (tokens.empty()) return;
  const auto positions = static_cast<std::size_t>(model_.options().context), half = (positions + 1) / 2;
  const std::size_t before = context_.size();
  context_.insert(context_.end(), tokens.begin(), tokens.end());
  if (context_.size() <= positions) return feed(std::span(context_).subspan(before));
  context_.erase(context_.begin(), context_.end() - static_cast<std::ptrdiff_t>(half));
  for (KeyValueCache& cache : caches_) cache.tokens = 0;
  feed(context_);
}

std::int64_t TextGenerator::next() {
  const std::int64_t token = draw_token(logits_, options_, random_);
  read({&token, 1});
  return token;
}

void TextGenerator::feed(std::span<const std::int64_t> tokens) {
  const auto count = std::ssize(tokens);
  const Tensor input = Tensor::of_integers({1, count}, tokens, DType::i64, model_.parameters().device());
  const Tensor logits = model_.forward(Variable(input), caches_).value();
  const std::int64_t first = (count - 1) * model_.options().vocabulary;  // of the last token's
  logits_ = logits.flat_range(first, vocabulary_, {vocabulary_}).to_vector();
  check_finite(logits_);
}

}  // namespace rz::nn
