// Text token by token: the cache against whole sequences, and draws against the softmax.
#include "nn/text_generator.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "autograd/tape.h"
#include "core/error.h"
#include "support/close.h"

using namespace rz;
using namespace rz::test;

namespace {

constexpr std::int64_t context = 8, vocabulary = 5;

std::unique_ptr<nn::CharTransformer> language_model(nn::Form form = nn::Form::pre_norm) {
  nn::CharTransformerOptions options{
      {.layers = 3, .d_model = 8, .heads = 2, .feed_forward = 12, .residual = {.form = form}, .final_norm = true},
      vocabulary,
      context};
  auto model = std::make_unique<nn::CharTransformer>(options);
  model->parameters().build(7, DType::f64);
  model->set_training(false);
  return model;
}

Tensor as_tokens(const std::vector<std::int64_t>& tokens) {
  return Tensor::of_integers({1, std::ssize(tokens)}, tokens);
}

std::vector<double> last_logits(const nn::CharTransformer& model, const std::vector<std::int64_t>& tokens) {
  const NoRecording off;
  const std::vector<double> all = model(Variable(as_tokens(tokens))).value().to_vector();
  return {all.end() - vocabulary, all.end()};
}

std::int64_t likeliest(const std::vector<double>& logits) { return std::ranges::max_element(logits) - logits.begin(); }

const std::vector<double> logits{0.5, -1, 2, 1.25, 2};

std::vector<double> frequencies(const nn::SamplingOptions& options) {
  constexpr int draws = 20000;
  std::vector<double> counts(logits.size(), 0);
  Random random(3, stream_named("text generator test"));
  for (int k = 0; k < draws; ++k) counts[static_cast<std::size_t>(nn::draw_token(logits, options, random))] += 1;
  for (double& count : counts) count /= draws;
  return counts;
}

// The softmax of logits / temperature over `tokens`; four standard deviations of a frequency are below 0.0142.
void check_frequencies(const nn::SamplingOptions& options, const std::vector<std::size_t>& tokens) {
  std::vector<double> expected(logits.size(), 0);
  double sum = 0;
  for (const std::size_t token : tokens) sum += expected[token] = std::exp(logits[token] / options.temperature);
  const std::vector<double> found = frequencies(options);
  for (std::size_t token = 0; token < logits.size(); ++token)
    CHECK(std::fabs(found[token] - expected[token] / sum) <= (expected[token] > 0 ? 0.0142 : 0));
}

}  // namespace

TEST_SUITE("nn/text_generator") {
  TEST_CASE("a sequence in pieces has the logits of the whole, in every form") {
    const std::vector<std::int64_t> tokens{1, 4, 0, 2, 2, 3, 1};
    for (const nn::FormRow& form : nn::forms()) {
      CAPTURE(form.name);
      const auto model = language_model(form.form);
      const Tensor whole = (*model)(Variable(as_tokens(tokens))).value().reshape({7, vocabulary});
      std::vector<nn::KeyValueCache> caches = model->caches();
      std::int64_t first = 0;
      for (const std::int64_t count : {3, 1, 2, 1}) {
        const std::vector<std::int64_t> piece(tokens.begin() + first, tokens.begin() + first + count);
        const Tensor part = model->forward(Variable(as_tokens(piece)), caches).value();
        CHECK(close(part.reshape({count, vocabulary}), whole.rows(first, count), 1e-12));
        first += count;
      }
    }
  }

  TEST_CASE("beyond the last position there is no token") {
    const auto model = language_model();
    std::vector<nn::KeyValueCache> caches = model->caches();
    model->forward(Variable(as_tokens(std::vector<std::int64_t>(context, 1))), caches);
    CHECK(mentions(message_of(ErrorCode::shape, [&] { model->forward(Variable(as_tokens({1})), caches); }),
                   {"9 tokens", "8 positions"}));
  }

  TEST_CASE("text goes on beyond the context, from its last half") {
    const auto model = language_model();
    nn::TextGenerator generator(*model, vocabulary, {.temperature = 0}, Random(1, 2));
    std::vector<std::int64_t> seen{2, 0, 1};
    generator.read(seen);
    for (int k = 0; k < 30; ++k) {
      CAPTURE(k);
      const std::int64_t token = likeliest(last_logits(*model, seen));
      CHECK(generator.next() == token);
      seen.push_back(token);
      if (std::ssize(seen) > context) seen.erase(seen.begin(), seen.end() - context / 2);
    }
  }

  TEST_CASE("a prompt longer than the context counts by its last half") {
    const auto model = language_model();
    std::vector<std::int64_t> prompt;
    for (std::int64_t k = 0; k < 21; ++k) prompt.push_back(k * k % vocabulary);
    nn::TextGenerator generator(*model, vocabulary, {.temperature = 0}, Random(1, 2));
    generator.read(prompt);
    CHECK(generator.next() == likeliest(last_logits(*model, {prompt.end() - context / 2, prompt.end()})));
  }

  TEST_CASE("draws follow the softmax, and what is left out never comes") {
    check_frequencies({}, {0, 1, 2, 3, 4});
    check_frequencies({.temperature = 2}, {0, 1, 2, 3, 4});
    check_frequencies({.temperature = 0.5, .top_k = 3}, {2, 3, 4});
    check_frequencies({.top_k = 1000}, {0, 1, 2, 3, 4});
    // Probabilities 0.081, 0.018, 0.364, 0.172, 0.364: two reach 0.7, 0.75 needs a third.
    check_frequencies({.top_p = 0.7}, {2, 4});
    check_frequencies({.top_p = 0.75}, {2, 3, 4});
    check_frequencies({.top_k = 1, .top_p = 0.9}, {2});
    check_frequencies({.top_p = 1e-12}, {2});
    CHECK(frequencies({.temperature = 0})[2] == 1);  // the first of equals
  }

  TEST_CASE("options and logits out of range") {
    const auto model = language_model();
    const auto refused = [&](const nn::SamplingOptions& options) {
      return message_of(ErrorCode::value, [&] { nn::TextGenerator(*model, vocabulary, options, Random(1, 2)); });
    };
    CHECK(mentions(refused({.temperature = -0.1}), {"temperature", "-0.1"}));
    CHECK(mentions(refused({.temperature = INFINITY}), {"temperature", "inf"}));
    CHECK(mentions(refused({.top_k = -1}), {"top-k", "-1"}));
    CHECK(mentions(refused({.top_p = 0}), {"top-p", "(0, 1]"}));
    CHECK(mentions(refused({.top_p = NAN}), {"top-p", "nan"}));
    Random random(1, 2);
    CHECK(mentions(message_of(ErrorCode::value, [&] { nn::draw_token(std::vector{0.0, double{NAN}}, {}, random); }),
                   {"not finite"}));
  }
}
