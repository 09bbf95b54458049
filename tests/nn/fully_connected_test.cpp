#include "nn/models/fully_connected.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/linalg.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "support/close.h"
#include "support/inputs.h"

namespace {
using namespace rz;
using namespace rz::test;
using nn::Form;
using nn::FullyConnected;

std::unique_ptr<FullyConnected> net(nn::FullyConnectedOptions options, DType dtype = DType::f64) {
  auto model = std::make_unique<FullyConnected>(options);
  model->parameters().build(3, dtype);
  return model;
}
Tensor stack_jacobian(const FullyConnected& model, const Tensor& x) {
  const nn::Stages chain = model.stages();
  const Tensor h = chain.input(Variable(x)).value();
  return jacobian(
      [&](const Variable& v) {
        Variable y = v;
        for (const Function& stage : chain.stages) y = stage(y);
        return y;
      },
      h);
}
}  // namespace

TEST_SUITE("nn/fully_connected") {
  TEST_CASE("names, shapes and roles are those of the authors' checkpoints") {
    const auto model =
        net({.inputs = {3, 4, 4}, .outputs = 10, .depth = 2, .width = 8, .residual = {.form = Form::rezero}});
    std::string all;
    for (int i = 0; i < model->parameters().size(); ++i) {
      const Parameter p = model->parameters()[i];
      all += p.name() + text(p.shape()) + std::string(name(p.role())) + " ";
    }
    CHECK(all ==
          "linear_input.weight[8, 48]weight linear_input.bias[8]bias linear_layers.0.weight[8, 8]weight "
          "linear_layers.0.bias[8]bias "
          "linear_layers.1.weight[8, 8]weight linear_layers.1.bias[8]bias linear_output.weight[10, 8]weight "
          "linear_output.bias[10]bias "
          "resweight[2]residual_weight ");
    const auto normed = net({.depth = 3, .width = 8, .residual = {.form = Form::deep_layer_norm}});
    CHECK(normed->parameters().find("ln.weight").shape() == Shape{8});
    CHECK(!normed->parameters().find("resweight").defined());
    CHECK(model->forward(Variable(normal_input({5, 3, 4, 4}, "x"))).shape() == Shape{5, 10});
  }

  TEST_CASE("gates start at 0 for rezero, at 1 for rezero_one, or as given") {
    CHECK(close(net({.depth = 3, .width = 4})->residual_weights().front().value(), {0, 0, 0}, 0));
    CHECK(
        close(net({.depth = 3, .width = 4, .residual = {.form = Form::rezero_one}})->residual_weights().front().value(),
              {1, 1, 1}, 0));
    CHECK(close(net({.depth = 3, .width = 4, .residual = {.gate = {0.5}}})->residual_weights().front().value(),
                {0.5, 0.5, 0.5}, 0));
    CHECK(close(net({.depth = 3, .width = 4, .residual = {.gate = {1, 2, 3}}})->residual_weights().front().value(),
                {1, 2, 3}, 0));
  }

  TEST_CASE("the formula tells where the gates start") {
    CHECK(net({.depth = 3, .width = 4})->formula() == "x + a F(x), a = 0");
    CHECK(net({.depth = 3, .width = 4, .residual = {.gate = {0.5}}})->formula() == "x + a F(x), a = 0.5");
    CHECK(net({.depth = 3, .width = 4, .residual = {.gate = {1, 2, 3}}})->formula() == "x + a F(x), a = as given");
    CHECK(net({.depth = 3, .width = 4, .residual = {.form = Form::post_norm}})->formula() == "norm(x + F(x))");
  }

  TEST_CASE("at a = 0 every singular value of the stack is exactly 1, at depths 1, 64 and 1000") {
    for (const std::int64_t depth : {1, 64, 1000})
      for (const nn::Branch branch : {nn::Branch::activation_last, nn::Branch::activation_first}) {
        const auto model = net({.inputs = {12}, .depth = depth, .width = 16, .branch = branch});
        for (const double sigma : svdvals(stack_jacobian(*model, normal_input({1, 12}, "x")))) CHECK(sigma == 1.0);
      }
  }

  TEST_CASE("directions of a Jacobian side by side: the same, for every number of threads [threads]") {
    const auto model = net({.inputs = {12}, .depth = 3, .width = 300, .residual = {.gate = {0.5}}});
    const Tensor h = model->stages().input(Variable(normal_input({1, 12}, "x"))).value();
    const auto stack = [&](Variable v) {
      for (const Function& stage : model->stages().stages) v = stage(v);
      return v;
    };
    const Tensor alone = jacobian(stack, h);
    set_threads(1);
    const Tensor one = jacobian(stack, h, {.concurrent = true});
    set_threads(3);
    const Tensor three = jacobian(stack, h, {.concurrent = true});
    set_threads(0);
    CHECK(identical(one, three));
    CHECK(close(one, alone, 1e-13));
    const auto broken = [&](const Variable& v) { return linear(v, Variable(normal_input({2, 7}, "w")), {}); };
    message_of(ErrorCode::shape, [&] { jacobian(broken, h, {.mode = JacobianMode::forward, .concurrent = true}); });
  }

  TEST_CASE("the authors' recipe: standard deviations of each layer by form") {
    const auto deviation = [](const Parameter& p) {
      return std::sqrt(ops::sum_of_squares(p.value()).item() / static_cast<double>(p.shape().elements()));
    };
    for (const auto& [form, gain] : {std::pair{Form::deep, std::sqrt(2.0)},
                                     {Form::residual, 0.5},
                                     {Form::deep_layer_norm, std::sqrt(2.0)},
                                     {Form::rezero, std::sqrt(2.0)}}) {
      const auto model = net({.inputs = {400}, .depth = 1, .width = 200, .residual = {.form = form}});
      const ParameterStore& p = model->parameters();
      CHECK(close(deviation(p.find("linear_input.weight")) / std::sqrt(2.0 / 400), 1, 0.01));
      CHECK(close(deviation(p.find("linear_layers.0.weight")) / (gain * std::sqrt(1.0 / 200)), 1, 0.02));
      CHECK(close(deviation(p.find("linear_layers.0.bias")) / (std::sqrt(1.0 / 200) / std::sqrt(3.0)), 1, 0.15));
      CHECK(close(deviation(p.find("linear_output.weight")) / (std::sqrt(1.0 / 200) / std::sqrt(3.0)), 1, 0.05));
    }
  }

  TEST_CASE("mean_field: Gaussian or orthogonal weights with sigma_w, biases with sigma_b, the input layer included") {
    for (const char* weights : {"gaussian", "orthogonal"}) {
      CAPTURE(weights);
      const auto model = net({.inputs = {400},
                              .depth = 1,
                              .width = 200,
                              .residual = {.form = Form::deep},
                              .init = "mean_field",
                              .weights = weights,
                              .sigma_w = 1.5,
                              .sigma_b = 0.3});
      for (const std::string layer : {"linear_input", "linear_layers.0"}) {
        const Tensor w = model->parameters().find(layer + ".weight").value();
        CHECK(close(ops::sum_of_squares(w).item() / (200 * 1.5 * 1.5), 1, 0.03));
        if (weights == std::string("orthogonal")) {
          const Tensor products = ops::gemm(Transpose::no, w, Transpose::yes, w);
          CHECK(close(products, ops::scale(1.5 * 1.5, Tensor::identity(200)), 1e-12));
        }
        CHECK(close(std::sqrt(ops::sum_of_squares(model->parameters().find(layer + ".bias").value()).item() / 200), 0.3,
                    0.05));
      }
    }
    CHECK(mentions(message_of(ErrorCode::value, [] { FullyConnected({.weights = "orthogonal"}); }),
                   {"weights", "mean_field"}));
    CHECK(mentions(message_of(ErrorCode::value, [] { FullyConnected({.init = "mean_field", .weights = "haar"}); }),
                   {"haar", "orthogonal"}));
  }

  TEST_CASE("dropout: of the branch in training, by seed, layer and step; off in evaluation") {
    StepState state;
    state.set(7, 0);
    const auto model = net({.inputs = {400}, .depth = 1, .width = 400, .residual = {.gate = {1}}, .dropout = 0.25});
    const Variable x(normal_input({30, 400}, "x"));
    const nn::Stages chain = model->stages();
    const auto branch = [&] {  // x' - x = F(x) dropped
      const Variable h = chain.input(x);
      return ops::subtract(chain.stages[0](h).value(), h.value());
    };
    const Tensor whole = branch();  // no source yet
    model->set_dropout_source({5, &state});
    const Tensor dropped = branch(), again = branch();
    CHECK(identical(dropped, again));
    const std::vector<double> f = whole.to_vector(), d = dropped.to_vector();
    std::int64_t active = 0, kept = 0;
    for (std::size_t i = 0; i < f.size(); ++i) {
      if (f[i] == 0) continue;
      ++active;
      if (d[i] == 0) continue;
      ++kept;
      CHECK(close(d[i], f[i] / 0.75, 1e-9));
    }
    CHECK(std::fabs(static_cast<double>(kept) / static_cast<double>(active) - 0.75) <
          4 * std::sqrt(0.25 * 0.75 / static_cast<double>(active)));
    state.set(8, 0);
    CHECK(!identical(branch(), dropped));
    model->set_training(false);
    CHECK(identical(branch(), whole));
    CHECK(mentions(message_of(ErrorCode::value, [] { FullyConnected({.dropout = 1}); }), {"dropout", "1"}));
  }

  TEST_CASE("wrong options name what was given") {
    CHECK(mentions(message_of(ErrorCode::value, [] { FullyConnected({.depth = 0}); }), {"depth of 0"}));
    CHECK(mentions(message_of(ErrorCode::value, [] { FullyConnected({.width = -3}); }), {"width of -3"}));
    CHECK(
        mentions(message_of(ErrorCode::value, [] { FullyConnected({.residual = {.form = Form::deep, .gate = {1}}}); }),
                 {"gate", "deep"}));
    CHECK(mentions(message_of(ErrorCode::value, [] { FullyConnected({.depth = 4, .residual = {.gate = {1, 2}}}); }),
                   {"2 gates", "4 layers"}));
    CHECK(mentions(message_of(ErrorCode::value, [] { nn::form_named("rezro"); }), {"rezro", "did you mean 'rezero'?"}));
    const auto model = net({.inputs = {6}, .depth = 1, .width = 4});
    CHECK(mentions(message_of(ErrorCode::shape, [&] { model->forward(Variable(normal_input({2, 7}, "x"))); }),
                   {"[2, 7]", "6"}));
  }

  TEST_CASE("the initial weights agree in f32 and f64 and do not depend on the depth") {
    const auto narrow = net({.inputs = {6}, .depth = 1, .width = 4}),
               deep = net({.inputs = {6}, .depth = 5, .width = 4}),
               single = net({.inputs = {6}, .depth = 1, .width = 4}, DType::f32);
    for (const char* name : {"linear_input.weight", "linear_layers.0.weight", "linear_output.bias"}) {
      CHECK(identical(narrow->parameters().find(name).value(), deep->parameters().find(name).value()));
      CHECK(identical(narrow->parameters().find(name).value().to(DType::f32), single->parameters().find(name).value()));
    }
  }
}
