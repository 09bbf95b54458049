// ResNets: names, outputs and gradients of PyTorch (reference/make_resnet.py), parameter counts, every form's start,
// batch norm's running statistics.
#include "nn/models/resnet.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "autograd/tape.h"
#include "autograd/transforms.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/ops.h"
#include "nn/init.h"
#include "nn/models/preact_resnet.h"
#include "optim/optimizer.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/lcg.h"
#include "support/reference.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;
using nn::Form;

namespace {

nn::ResidualOptions form_of(Form form) { return {.form = form}; }

std::unique_ptr<nn::Model> model_of_case(const std::string& name, const Shape& inputs) {
  const nn::ImageOptions image{.inputs = inputs};
  if (name == "resnet8_plain")
    return std::make_unique<nn::ResNet>(nn::ResNetOptions{8, image, form_of(Form::residual)});
  if (name == "resnet14_rezero")
    return std::make_unique<nn::ResNet>(nn::ResNetOptions{14, image, form_of(Form::rezero)});
  if (name == "resnet8_rezero_without_norm")
    return std::make_unique<nn::ResNet>(nn::ResNetOptions{8, image, form_of(Form::rezero), false});
  if (name == "resnet8_fixup")
    return std::make_unique<nn::ResNet>(nn::ResNetOptions{8, image, form_of(Form::fixup), false});
  if (name == "preact18_plain")
    return std::make_unique<nn::PreActResNet>(nn::PreActResNetOptions{18, image, form_of(Form::residual)});
  return std::make_unique<nn::PreActResNet>(nn::PreActResNetOptions{50, image, form_of(Form::rezero)});
}

bool ends_with(std::string_view text, std::string_view end) { return text.ends_with(end); }

// As fill() in make_resnet.py.
void fill(const json& shapes, const ParameterStore& store) {
  Lcg lcg(8);
  for (const json& row : shapes) {
    const std::string name = row[0];
    if (ends_with(name, "num_batches_tracked")) continue;
    const Parameter parameter = store.find(name);
    REQUIRE_MESSAGE(parameter.defined(), name);
    const Shape shape(row[1].get<std::vector<std::int64_t>>());
    REQUIRE(parameter.shape() == shape);
    const double scale =
        shape.rank() > 1 ? std::sqrt(6 / static_cast<double>(shape.elements() / std::max<std::int64_t>(1, shape[0])))
        : ends_with(name, "running_var") ? 0.5
                                         : 0.25;
    const bool about_1 = shape.rank() <= 1 && (ends_with(name, "running_var") || ends_with(name, "weight"));
    std::vector<double> values = lcg.draw(shape.elements(), scale);
    for (double& v : values) v += about_1 ? 1 : 0;
    parameter.value().copy_from(Tensor::of(shape, values));
  }
}

// What did not move in four steps, "" if all that is trained did.
std::string unmoved(nn::Model& model, const Tensor& x) {
  ParameterStore& store = model.parameters();
  std::vector<Tensor> before;
  for (int k = 0; k < store.size(); ++k) before.push_back(store[k].value().clone());
  model.set_training(true);
  const auto optimizer = optim::Optimizer::create({.name = "sgd"});
  optimizer->prepare(store);
  StepState state;
  for (std::int64_t step = 1; step <= 4; ++step) {
    state.set(step, 0.01);
    Tape tape;
    const Variable y = model(Variable(x));
    tape.backward(sum(square(subtract(y, Variable(Tensor::full(y.shape(), 1, DType::f64))))));
    optimizer->step(store, state);
  }
  std::string still;
  for (int k = 0; k < store.size(); ++k) {
    const Parameter parameter = store[k];
    const bool same(identical(parameter.value(), before[static_cast<std::size_t>(k)]));
    if (same && parameter.role() != Role::buffer) still += parameter.name() + " ";
  }
  return still;
}

double norm_of(const Tensor& x) { return std::sqrt(ops::sum_of_squares(x).item()); }

std::unique_ptr<nn::ResNet> small_resnet(Form form, bool batch_norm = true) {
  auto model = std::make_unique<nn::ResNet>(
      nn::ResNetOptions{8, {.inputs = {3, 4, 4}, .outputs = 3}, form_of(form), batch_norm});
  model->parameters().build(3, DType::f64);
  return model;
}

}  // namespace

TEST_SUITE("nn/resnet") {
  TEST_CASE("names, outputs in both modes, gradients and running statistics are PyTorch's [slow]") {
    const json& cases = reference("../nn/reference/resnet.json")["cases"];
    for (const auto& [name, expected] : cases.items()) {
      CAPTURE(name);
      const Shape images(expected["images"].get<std::vector<std::int64_t>>());
      const auto model = model_of_case(name, images.from(1));
      ParameterStore& store = model->parameters();
      store.build(1, DType::f64);
      fill(expected["shapes"], store);
      std::size_t names = 0;
      for (const json& row : expected["shapes"]) names += !ends_with(row[0].get<std::string>(), "num_batches_tracked");
      CHECK(store.size() == static_cast<int>(names));
      const Tensor x = Tensor::of(images, Lcg(9).draw(images.elements(), 1));
      const Shape logits{images[0], 10};
      model->set_training(false);
      CHECK(close((*model)(Variable(x)).value(), Tensor::of(logits, numbers(expected["logits"])), 1e-10));
      model->set_training(true);
      StepState state;
      state.set(1, 0.1);
      Tape tape;
      const Variable y = (*model)(Variable(x));
      CHECK(close(y.value(), Tensor::of(logits, numbers(expected["training_logits"])), 1e-9));
      tape.backward(sum(square(y)));
      model->update_statistics(state);
      for (const auto& [parameter, norm] : expected["gradient_norms"].items()) {
        CAPTURE(parameter);
        const double wanted = norm.get<double>();
        CHECK(norm_of(store.find(parameter).gradient()) == doctest::Approx(wanted).epsilon(1e-8));
      }
      for (const auto& [buffer, norm] : expected["running_norms"].items()) {
        CAPTURE(buffer);
        CHECK(norm_of(store.find(buffer).value()) == doctest::Approx(norm.get<double>()).epsilon(1e-10));
      }
    }
  }

  TEST_CASE("as many parameters as published") {
    const auto count = [](std::int64_t layers, Form form) {
      nn::ResNet model({layers, {}, form_of(form)});
      model.parameters().build(1);
      return model.parameters().scalars();
    };
    CHECK(count(20, Form::residual) == 269722);
    CHECK(count(20, Form::rezero) == 269722 + 9);
    CHECK(count(56, Form::residual) == 853018);
    CHECK(count(56, Form::rezero) == 853018 + 27);
    CHECK(count(110, Form::residual) == 1727962);
    CHECK(nn::ResNet({1202, {}, form_of(Form::rezero)}).residual_weights().size() == 600);
  }

  TEST_CASE("every form that a block takes: gradients, and what the start passes on [slow]") {
    const Tensor x = normal_input({4, 3, 4, 4}, "resnet test");
    for (const Form form : {Form::residual, Form::deep, Form::gated, Form::zero_gamma, Form::rezero, Form::rezero_one,
                            Form::skip_init, Form::layer_scale, Form::tanh_gate, Form::convex, Form::branch_scale,
                            Form::zero_projection, Form::fixup, Form::t_fixup}) {
      CAPTURE(nn::row(form).name);
      const bool norm = form != Form::fixup;
      const auto model = small_resnet(form, norm);
      for (const bool training : {true, false}) {
        CAPTURE(training);
        model->set_training(training);
        // Statistics of four numbers in the last stage: differences are rough.
        const GradcheckReport report =
            gradcheck([&](std::span<const Variable> v) { return (*model)(v[0]); }, std::vector{x}, {.tolerance = 1e-5});
        CHECK_MESSAGE(report.passed, report.message);
      }
      CHECK(unmoved(*small_resnet(form, norm), x) == "");
      // Of a block between equal widths, after a stem that gives positive numbers.
      const nn::Stages chain = model->stages();
      const Variable h = chain.input(Variable(x));
      const bool identity = form == Form::rezero || form == Form::zero_gamma || form == Form::skip_init ||
                            form == Form::tanh_gate || form == Form::zero_projection || form == Form::fixup;
      CHECK(bool(identical(chain.stages[0](h).value(), h.value())) == identity);
    }
  }

  TEST_CASE("forms without norms do without them, others are refused by name") {
    for (const Form form : {Form::residual, Form::rezero, Form::skip_init, Form::fixup}) {
      const auto model = small_resnet(form, false);
      CHECK_FALSE(model->parameters().find("bn1.weight").defined());
      CHECK(model->parameters().find("conv1.bias").defined() == (form != Form::fixup));
    }
    const auto message = [](auto&& make) {
      try {
        make();
      } catch (const Error& error) {
        return std::string(error.what());
      }
      return std::string();
    };
    const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
    CHECK(has(message([] { nn::ResNet({21, {}, {}}); }), "6 n + 2"));
    CHECK(has(message([] { nn::ResNet({20, {.inputs = {3, 30, 32}}, {}}); }), "divisible by 4"));
    CHECK(has(message([] { nn::ResNet({20, {.inputs = {3072}}, {}}); }), "[channels, height, width]"));
    CHECK(has(message([] { nn::ResNet({20, {}, form_of(Form::pre_norm)}); }), "follow its convolutions"));
    CHECK(has(message([] { nn::ResNet({20, {}, form_of(Form::fixup)}); }), "norm = none"));
    CHECK(has(message([] { nn::ResNet({20, {}, form_of(Form::zero_gamma), false}); }), "norm is none"));
    CHECK(has(message([] { nn::PreActResNet({20, {}, {}}); }), "18, 34 and 50"));
    CHECK(has(message([] { nn::PreActResNet({18, {.inputs = {3, 4, 4}}, {}}); }), "divisible by 8"));
  }

  TEST_CASE("option A: every second pixel, new channels half before and half after") {
    const auto model = small_resnet(Form::rezero);
    const Tensor h = normal_input({2, 4, 4, 16}, "shortcut");
    const Tensor y = model->stages().stages[1](Variable(h)).value();  // the gate is 0
    REQUIRE(y.shape() == Shape{2, 2, 2, 32});
    for (std::int64_t n = 0; n < 2; ++n)
      for (std::int64_t r = 0; r < 2; ++r)
        for (std::int64_t c = 0; c < 2; ++c)
          for (std::int64_t channel = 0; channel < 32; ++channel) {
            const double got = y.data<double>()[((n * 2 + r) * 2 + c) * 32 + channel];
            const bool old = channel >= 8 && channel < 24;
            CHECK(got == (old ? h.data<double>()[((n * 4 + 2 * r) * 4 + 2 * c) * 16 + channel - 8] : 0));
          }
  }

  TEST_CASE("running statistics change with the passes that are recorded, once each, recomputed or not") {
    const auto model = small_resnet(Form::rezero);
    StepState state;
    state.set(1, 0.1);
    const Tensor x = normal_input({2, 3, 4, 4}, "statistics");
    const auto running = [&] { return model->parameters().find("bn1.running_mean").value().clone(); };
    const Tensor start = running();
    (*model)(Variable(x));  // nobody records
    model->update_statistics(state);
    CHECK(identical(running(), start));
    const auto step = [&](bool recompute) {
      Tape tape;
      const auto f = [&](const Variable& v) { return (*model)(v); };
      const Variable y = recompute ? checkpoint(f, Variable(x)) : f(Variable(x));
      tape.backward(sum(square(y)));
      model->update_statistics(state);
      model->update_statistics(state);  // there is nothing more to take
    };
    step(false);
    const Tensor once = running();
    CHECK_FALSE(bool(identical(once, start)));
    model->parameters().find("bn1.running_mean").value().copy_from(start);
    step(true);
    CHECK(identical(running(), once));
  }

  TEST_CASE("a budget bounds what is taken from the system, with blocks computed twice") {
    constexpr std::int64_t batch = 8;
    const Tensor images = normal_input({batch, 3, 32, 32}, "budget", DType::f32);
    Pool& memory = pool(Device::cpu());
    const auto reserved = [&](std::int64_t budget) {
      memory.trim();
      memory.reset_peak();
      const std::int64_t before = memory.statistics().bytes_in_use;
      nn::ResNet model({.layers = 62, .residual = form_of(Form::rezero)});
      model.parameters().build(1);
      if (budget > 0) CHECK(model.fit_memory(budget, batch) > 0);
      Tape tape;
      tape.backward(sum(square(model.forward(Variable(images)))));
      const MemoryStatistics s = memory.statistics();
      return std::max(s.bytes_reserved, s.peak_bytes) - before;  // builds that cache nothing have no reserve
    };
    const std::int64_t all = reserved(0);
    for (const double part : {0.9, 0.75}) {
      const auto budget = static_cast<std::int64_t>(part * static_cast<double>(all));
      CAPTURE(part);
      CHECK(reserved(budget) <= budget);
    }
  }

  TEST_CASE("a delta-orthogonal convolution is an isometry") {
    const Shape shape{6, 4, 3, 3};
    ParameterStore store;
    const Parameter weight = store.declare("w", shape, Role::weight, nn::init::named("delta_orthogonal", shape));
    store.build(5, DType::f64);
    const Window window{.kernel = {3, 3}, .padding = {1, 1}};
    const Tensor x = normal_input({2, 5, 4, 4}, "isometry"), y = ops::conv2d(x, weight.value(), window);
    CHECK(norm_of(y) == doctest::Approx(norm_of(x)).epsilon(1e-14));
    const Tensor j =
        jacobian([&](const Variable& v) { return conv2d(v, weight, window); }, normal_input({1, 3, 3, 4}, "one image"));
    const Tensor gram = ops::gemm(Transpose::yes, j, Transpose::no, j);
    for (std::int64_t a = 0; a < 36; ++a)
      for (std::int64_t b = 0; b < 36; ++b)
        CHECK(std::fabs(gram.data<double>()[a * 36 + b] - (a == b ? 1 : 0)) < 1e-13);
    CHECK_THROWS_AS(nn::init::named("delta_orthogonal", {4, 4, 2, 2}), Error);
    CHECK_THROWS_AS(nn::init::named("orthogonal", {4, 4, 3, 3}), Error);
  }
}
