// Layers and models of Transformers: names and shapes, every residual form, masks, the cache for sampling. Numbers of
// PyTorch: tests/tools/transformer_test.cpp and tests/nn/attention_test.cpp.
#include "nn/models/transformer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <tuple>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "autograd/tape.h"
#include "autograd/transforms.h"
#include "core/error.h"
#include "core/ops.h"
#include "nn/init.h"
#include "nn/models/char_transformer.h"
#include "nn/models/seq2seq.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;
using nn::Form;

namespace {

nn::TransformerOptions small_transformer(Form form = Form::rezero) {
  return {.layers = 2, .d_model = 6, .heads = 2, .feed_forward = 5, .residual = {.form = form}};
}

template <class Model, class Options>
std::unique_ptr<Model> built_model(const Options& options) {
  auto model = std::make_unique<Model>(options);
  model->parameters().build(3, DType::f64);
  return model;
}

std::unique_ptr<nn::EncoderModel> encoder(const nn::TransformerOptions& options) {
  return built_model<nn::EncoderModel>(nn::TransformerStackOptions{options, 4});
}

Tensor tokens_of(const Shape& shape, std::int64_t vocabulary) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i) values.push_back(static_cast<double>(i * i % vocabulary));
  return Tensor::of(shape, values, DType::i64);
}

const double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_SUITE("nn/transformer") {
  TEST_CASE("every form: the encoder's gradients are right, and masks hide what they hide") {
    const Tensor x = normal_input({2, 4, 6}, "transformer test");
    for (const nn::FormRow& form : nn::forms()) {
      CAPTURE(form.name);
      const auto model = encoder(small_transformer(form.form));
      const GradcheckReport report =
          gradcheck([&](std::span<const Variable> v) { return (*model)(v[0]); }, std::vector{x});
      CHECK_MESSAGE(report.passed, report.message);
      nn::HeldInputs held;
      held.key_mask = Tensor::of({2, 4}, std::vector<double>{0, 0, 0, -infinity, 0, 0, -infinity, 0}, DType::f64);
      model->hold(held);
      Tensor moved = x.clone();
      moved.data<double>()[3 * 6] += 1;  // the hidden token of the first example
      const Tensor before = (*model)(Variable(x)).value(), after = (*model)(Variable(moved)).value();
      for (const std::int64_t token : {0, 1, 2})
        CHECK(close(before.rows(0, 1).reshape({4, 6}).rows(token, 1), after.rows(0, 1).reshape({4, 6}).rows(token, 1),
                    0));
    }
  }

  TEST_CASE("one gate per layer, shared, or one per sub-layer; norms belong to sub-layers") {
    nn::TransformerOptions options = small_transformer();
    CHECK(encoder(options)->parameters().find("layers.1.resweight").shape() == Shape{1});
    options.gates = nn::GateScope::sublayer;
    CHECK(encoder(options)->parameters().find("layers.1.resweight").shape() == Shape{2});
    options.residual.gate = {0.25, -1};  // of the layers
    const auto model = built_model<nn::DecoderModel>(nn::TransformerStackOptions{options, 4});
    CHECK(nn::gate_values(*model) == std::vector<double>{0.25, 0.25, 0.25, -1, -1, -1});
    options = small_transformer(Form::peri_norm);
    options.final_norm = true;
    const auto normed = encoder(options);
    for (const char* name :
         {"layers.0.norm1.weight", "layers.0.norm2.bias", "layers.1.norm1_out.weight", "norm.weight"})
      CHECK(normed->parameters().find(name).defined());
    CHECK_FALSE(normed->parameters().find("layers.0.norm3.weight").defined());
  }

  TEST_CASE("at a = 0 a stack is the identity, and its first gradients are those of the gates alone") {
    const auto model = encoder(small_transformer());
    const Tensor x = normal_input({2, 4, 6}, "transformer test");
    CHECK(close((*model)(Variable(x)).value(), x, 0));
    Tape tape;
    tape.backward(sum(multiply((*model)(Variable(x)), Variable(normal_input({2, 4, 6}, "weights")))));
    ParameterStore& store = model->parameters();
    for (int k = 0; k < store.size(); ++k) {
      CAPTURE(store[k].name());
      CHECK((ops::sum_of_squares(store[k].gradient()).item() > 0) == (store[k].role() == Role::residual_weight));
    }
  }

  TEST_CASE("forms scale the start: beta on value, output and feed-forward; last matrices at 0") {
    const auto rms = [](const Tensor& x) {
      return std::sqrt(ops::sum_of_squares(x).item() / static_cast<double>(x.elements()));
    };
    const auto plain = encoder(small_transformer(Form::residual)), deep = encoder(small_transformer(Form::deepnorm)),
               fixed = encoder(small_transformer(Form::t_fixup)), zero = encoder(small_transformer(Form::fixup));
    const auto ratio = [&](const auto& model, const char* name, std::int64_t first) {
      const auto part = [&](const auto& of) {
        const Tensor w = of->parameters().find(name).value();
        return rms(w.rows(first, std::min<std::int64_t>(6, w.shape()[0] - first)));
      };
      return part(model) / part(plain);
    };
    const double beta = std::pow(16.0, -0.25), small = 0.67 * std::pow(2.0, -0.25);
    for (const auto& [name, first, b, s] : {std::tuple{"layers.1.self_attn.in_proj_weight", 0, 1.0, 1.0},
                                            {"layers.1.self_attn.in_proj_weight", 6, 1.0, 1.0},
                                            {"layers.1.self_attn.in_proj_weight", 12, beta, small * std::sqrt(2.0)},
                                            {"layers.1.self_attn.out_proj.weight", 0, beta, small},
                                            {"layers.0.linear1.weight", 0, beta, small},
                                            {"layers.0.linear2.weight", 0, beta, small}}) {
      CAPTURE(name);
      CHECK(close(ratio(deep, name, first), b, 1e-12));
      CHECK(close(ratio(fixed, name, first), s, 1e-12));
    }
    CHECK(ratio(zero, "layers.0.linear2.weight", 0) == 0);
    CHECK(ratio(zero, "layers.0.self_attn.out_proj.weight", 0) == 0);
    CHECK_FALSE(zero->parameters().find("layers.0.linear1.bias").defined());
    CHECK(nn::row(Form::t_fixup).weight.at({.layers = 2, .decoder = true}) == doctest::Approx(std::pow(18.0, -0.25)));
  }

  TEST_CASE("the language model sees no later token; learned positions train, sinusoids do not; tied weights are one") {
    nn::CharTransformerOptions options{
        .transformer = small_transformer(Form::rezero_one), .vocabulary = 7, .context = 5};
    const auto model = built_model<nn::CharTransformer>(options);
    const Tensor tokens = tokens_of({2, 5}, 7);
    Tensor changed = tokens.clone();
    changed.data<std::int64_t>()[4] = 6;  // the last one of the first sequence
    const Tensor a = (*model)(Variable(tokens)).value(), b = (*model)(Variable(changed)).value();
    CHECK(a.shape() == Shape{2, 5, 7});
    CHECK(close(a.reshape({10, 7}).rows(0, 4), b.reshape({10, 7}).rows(0, 4), 0));
    CHECK_FALSE(close(a.reshape({10, 7}).rows(4, 1), b.reshape({10, 7}).rows(4, 1), 1e-6));
    CHECK(model->parameters().find("pos_encoder.pe").role() == Role::buffer);
    const std::int64_t scalars = model->parameters().scalars();
    options.positions = nn::PositionKind::learned;
    CHECK(built_model<nn::CharTransformer>(options)->parameters().scalars() == scalars + 5 * 6);
    options.tie_weights = true;
    CHECK(built_model<nn::CharTransformer>(options)->parameters().scalars() == scalars + 5 * 6 - 7 * 6);
    CHECK(mentions(message_of(ErrorCode::shape, [&] { (*model)(Variable(tokens_of({1, 6}, 7))); }), {"6 tokens", "5"}));
  }

  TEST_CASE("stages are the model, and the encoder-decoder attends to its source") {
    const nn::CharTransformerOptions options{
        .transformer = small_transformer(Form::pre_norm), .vocabulary = 7, .context = 5};
    const auto model = built_model<nn::CharTransformer>(options);
    const Variable tokens(tokens_of({2, 5}, 7));
    const nn::Stages chain = model->stages();
    Variable h = chain.input(tokens);
    for (const Function& stage : chain.stages) h = stage(h);
    CHECK(close(chain.output(h).value(), (*model)(tokens).value(), 0));
    const nn::Seq2SeqOptions both{
        .transformer = small_transformer(Form::rezero_one), .vocabulary = 7, .source = 3, .target = 2};
    const auto translator = built_model<nn::Seq2Seq>(both);
    Tensor x = tokens_of({1, 5}, 7);
    const Tensor before = (*translator)(Variable(x)).value();
    CHECK(before.shape() == Shape{1, 2, 7});
    x.data<std::int64_t>()[0] = 5;
    CHECK_FALSE(close((*translator)(Variable(x)).value(), before, 1e-6));
  }

  TEST_CASE("what does not fit is refused in a line") {
    nn::TransformerOptions options = small_transformer();
    options.heads = 4;
    CHECK(mentions(message_of(ErrorCode::value, [&] { encoder(options); }), {"4", "6"}));
    options = small_transformer();
    options.init = "mean_field";
    CHECK(mentions(message_of(ErrorCode::value, [&] { encoder(options); }), {"mean_field"}));
    const auto decoder = built_model<nn::DecoderModel>(nn::TransformerStackOptions{small_transformer(), 4});
    const Tensor x = normal_input({2, 4, 6}, "transformer test");
    CHECK(mentions(message_of(ErrorCode::value, [&] { (*decoder)(Variable(x)); }), {"memory"}));
    nn::HeldInputs held;
    held.memory = normal_input({3, 2, 6}, "memory");
    decoder->hold(held);
    CHECK(mentions(message_of(ErrorCode::shape, [&] { (*decoder)(Variable(x)); }), {"memory", "[3, 2, 6]", "2"}));
  }
}
