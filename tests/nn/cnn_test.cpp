// The convolutional network without blocks: names, gradients of every kind of form, 10,000 layers, isometry.
#include "nn/models/cnn.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "autograd/tape.h"
#include "autograd/transforms.h"
#include "core/linalg.h"
#include "core/ops.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/small_stack.h"

namespace {

using namespace rz;
using namespace rz::test;
using nn::Cnn;
using nn::CnnOptions;
using nn::Form;

std::unique_ptr<Cnn> cnn(const CnnOptions& options, DType dtype = DType::f64) {
  auto model = std::make_unique<Cnn>(options);
  model->parameters().build(5, dtype);
  return model;
}

// All parameters away from their start, which may be 0.
void fill(Cnn& model) {
  ParameterStore& store = model.parameters();
  for (int i = 0; i < store.size(); ++i)
    store[i].value().copy_from(ops::scale(0.4, normal_input(store[i].shape(), store[i].name())));
}

// d sum(y^2) / d parameters: along one direction for each, against differences.
void check_parameter_gradients(Cnn& model, const Tensor& x) {
  const auto loss = [&] { return sum(square(model(Variable(x)))); };
  {
    Tape tape;
    tape.backward(loss());
  }
  ParameterStore& store = model.parameters();
  for (int i = 0; i < store.size(); ++i) {
    const Parameter parameter = store[i];
    CAPTURE(parameter.name());
    const Tensor start = parameter.value().clone(), u = normal_input(parameter.shape(), parameter.name() + " u");
    constexpr double step = 1e-5;
    const auto at = [&](double t) {
      parameter.value().copy_from(ops::add(start, ops::scale(t, u)));
      return loss().item();
    };
    const double numeric = (at(step) - at(-step)) / (2 * step);
    parameter.value().copy_from(start);
    const double analytic = ops::sum(ops::multiply(parameter.gradient(), u)).item();
    CHECK(close(analytic, numeric, 1e-6));
  }
}

std::vector<double> stack_values(const Cnn& model, const Tensor& images) {
  const nn::Stages chain = model.stages();
  const Tensor h = chain.input(Variable(images)).value();
  return svdvals(jacobian(
      [&](Variable v) {
        for (const Function& stage : chain.stages) v = stage(v);
        return v;
      },
      h));
}

const nn::ImageOptions small_images{.inputs = {2, 5, 6}, .outputs = 3};

// The extents of the first hidden state of an example.
Shape first_state(const nn::Cnn& model) {
  const Tensor image = Tensor::zeros(model.input_shape().prepended(1), DType::f64);
  return model.stages().input(Variable(image)).shape().from(1);
}

}  // namespace

TEST_SUITE("nn/cnn") {
  TEST_CASE("cnn: names, shapes and roles; the stem halves the sides") {
    const auto model = cnn(
        {.image = {.inputs = {3, 32, 28}, .outputs = 10}, .depth = 2, .width = 4, .residual = {.form = Form::rezero}});
    std::string all;
    for (int i = 0; i < model->parameters().size(); ++i) {
      const Parameter p = model->parameters()[i];
      all += p.name() + text(p.shape()) + std::string(name(p.role())) + " ";
    }
    CHECK(all ==
          "conv_input.0.weight[4, 3, 3, 3]weight conv_input.0.bias[4]bias conv_input.1.weight[4, 4, 3, 3]weight "
          "conv_input.1.bias[4]bias conv_input.2.weight[4, 4, 3, 3]weight conv_input.2.bias[4]bias "
          "conv_layers.0.weight[4, 4, 3, 3]weight conv_layers.0.bias[4]bias conv_layers.1.weight[4, 4, 3, 3]weight "
          "conv_layers.1.bias[4]bias linear.weight[10, 4]weight linear.bias[10]bias resweight[2]residual_weight ");
    CHECK(first_state(*model) == Shape{8, 7, 4});
    const Tensor x = normal_input({2, 3, 32, 28}, "images");
    CHECK(model->stages().input(Variable(x)).shape() == Shape{2, 8, 7, 4});
    CHECK(model->forward(Variable(x)).shape() == Shape{2, 10});
    CHECK(model->formula() == "x + a F(x), a = 0");

    const auto normed = cnn({.image = small_images, .depth = 2, .width = 4, .residual = {.form = Form::pre_norm}});
    CHECK(normed->parameters().find("ln.weight").shape() == Shape{4});
    CHECK(normed->residual_weights().empty());
    const auto whole = cnn({.image = small_images, .depth = 1, .width = 4, .downsamplings = 0});
    CHECK_FALSE(whole->parameters().find("conv_input.1.weight").defined());
    CHECK(first_state(*whole) == Shape{5, 6, 4});
    CHECK(first_state(*cnn({.image = small_images, .depth = 1, .width = 4})) == Shape{2, 2, 4});
    CHECK(cnn({.image = small_images, .depth = 1, .width = 4})->formula() == "F(x)");
  }

  TEST_CASE("cnn: gradients of every form, at the inputs and in the parameters") {
    const Tensor x = normal_input({2, 2, 5, 6}, "cnn");
    for (const nn::FormRow& form : nn::forms()) {
      CAPTURE(form.name);
      const auto model =
          cnn({.image = small_images, .depth = 3, .width = 3, .downsamplings = 1, .residual = {.form = form.form}});
      fill(*model);
      const GradcheckReport report =
          gradcheck([&](std::span<const Variable> v) { return (*model)(v[0]); }, std::vector{x}, {.tolerance = 1e-5});
      CHECK_MESSAGE(report.passed, report.message);
      check_parameter_gradients(*model, x);
      // The chain of stages is the model, also where every layer looks back at the first hidden state.
      const nn::Stages chain = model->stages();
      CHECK(chain.stages.size() == (form.learned_scalars ? 1 : 3));
      Variable h = chain.input(Variable(x));
      for (const Function& stage : chain.stages) h = stage(h);
      CHECK(identical(chain.output(h).value(), (*model)(Variable(x)).value()));
    }
  }

  TEST_CASE("cnn: what a form starts with: the identity at a = 0, small kernels by its factor") {
    const Tensor x = normal_input({1, 2, 5, 6}, "start");
    for (const Form form : {Form::rezero, Form::zero_projection, Form::fixup})
      for (const double sigma :
           stack_values(*cnn({.image = small_images, .depth = 20, .width = 3, .residual = {.form = form}}), x))
        CHECK(sigma == 1.0);
    const auto squares = [](const Cnn& model) {
      return ops::sum_of_squares(model.parameters().find("conv_layers.0.weight").value()).item();
    };
    const auto plain = cnn({.image = small_images, .depth = 4, .width = 3});
    const auto deepnorm = cnn({.image = small_images, .depth = 4, .width = 3, .residual = {.form = Form::deepnorm}});
    const double beta = std::pow(16.0, -0.25);
    CHECK(close(squares(*plain), 3, 1e-13));
    CHECK(close(squares(*deepnorm), 3 * beta * beta, 1e-13));
  }

  TEST_CASE("cnn: initialisers: gains and biases, the stem Gaussian under delta-orthogonal layers") {
    const auto mean_square = [](const Cnn& model, const char* name) {
      const Tensor value = model.parameters().find(name).value();
      return ops::sum_of_squares(value).item() / static_cast<double>(value.elements());
    };
    const auto delta = cnn({.image = small_images, .depth = 1, .width = 60, .sigma_w = 1.5, .sigma_b = 0.3});
    CHECK(close(mean_square(*delta, "conv_layers.0.weight") * 9 * 60, 2.25, 1e-12));
    CHECK(close(mean_square(*delta, "conv_input.1.weight") * 9 * 60, 2.25, 0.1));
    CHECK(close(std::sqrt(mean_square(*delta, "conv_layers.0.bias")), 0.3, 0.1));
    const auto gaussian = cnn({.image = small_images, .depth = 1, .width = 60, .init = "mean_field", .sigma_w = 1.5});
    CHECK(close(mean_square(*gaussian, "conv_layers.0.weight") * 9 * 60, 2.25, 0.1));
    CHECK(mean_square(*gaussian, "conv_layers.0.bias") == 0);
    const auto kaiming = cnn({.image = small_images, .depth = 1, .width = 60, .init = "kaiming_normal"});
    CHECK(close(mean_square(*kaiming, "conv_layers.0.weight") * 9 * 60, 2, 0.1));
    CHECK(close(mean_square(*kaiming, "conv_input.2.weight") * 9 * 60, 2, 0.1));
  }

  TEST_CASE(
      "cnn: delta-orthogonal kernels: the linear stack is an isometry, tanh of small values nearly, Gaussian is not") {
    const nn::ImageOptions image{.inputs = {2, 4, 4}, .outputs = 3};
    const CnnOptions linear{
        .image = image, .depth = 60, .width = 5, .downsamplings = 0, .activation = ScalarFunction::identity};
    const Tensor x = normal_input({1, 2, 4, 4}, "isometry");
    const std::vector<double> isometric = stack_values(*cnn(linear), x);
    CHECK(isometric.size() == 80);
    CHECK(close(isometric, std::vector<double>(80, 1), 1e-12));

    CnnOptions tanh = linear;
    tanh.activation = ScalarFunction::tanh;
    const std::vector<double> near = stack_values(*cnn(tanh), ops::scale(1e-3, x));
    CHECK(near.front() <= 1);
    CHECK(near.back() > 0.999);

    CnnOptions gaussian = tanh;
    gaussian.init = "mean_field";
    const std::vector<double> spread = stack_values(*cnn(gaussian), ops::scale(1e-3, x));
    CHECK(spread.front() / std::max(spread.back(), 1e-300) > 1e6);
  }

  TEST_CASE("cnn: 10,000 layers are built, trained a step and freed on a stack of 1 MiB") {
    for (const Form form : {Form::deep, Form::rezero}) {
      CAPTURE(nn::row(form).name);
      double first = NAN, last = NAN;
      on_small_stack([&] {
        CnnOptions options{.image = {.inputs = {3, 8, 8}, .outputs = 4}, .depth = 10000, .width = 4};
        options.residual.form = form;
        if (form == Form::rezero) options.residual.gate = {1e-3};
        Cnn net(options);
        ParameterStore& store = net.parameters();
        store.build(1);
        {
          Tape tape;
          tape.backward(mean(square(net(normal_input({2, 3, 8, 8}, "x", DType::f32)))));
        }
        first = ops::sum_of_squares(store.find("conv_layers.0.weight").gradient()).item();
        last = ops::sum_of_squares(store.find("conv_layers.9999.weight").gradient()).item();
      });
      CHECK(first > 0);  // tanh takes its share of the length layer by layer, but no direction is lost
      CHECK(std::isfinite(first));
      CHECK(last > 0);
      CHECK(std::isfinite(last));
    }
  }

  TEST_CASE("cnn: layers that are computed twice to save memory give the same gradients") {
    const Tensor x = normal_input({2, 2, 5, 6}, "twice");
    const CnnOptions options{.image = small_images, .depth = 12, .width = 3, .residual = {.form = Form::pre_norm}};
    const auto gradients = [&](Cnn& model) {
      Tape tape;
      tape.backward(sum(square(model(Variable(x)))));
      return model.parameters().gradients().clone();
    };
    const auto model = cnn(options);
    const Tensor kept = gradients(*model);
    std::int64_t least = 0;
    try {
      model->fit_memory(1, 2);
    } catch (const BudgetError& error) {
      least = error.least();
    }
    CHECK(model->fit_memory(least, 2) > 0);
    CHECK(identical(gradients(*model), kept));
    const auto injecting = cnn({.image = small_images, .depth = 2, .residual = {.form = Form::residual_scalars}});
    CHECK(mentions(message_of(ErrorCode::value, [&] { injecting->fit_memory(1, 2); }), {"first hidden state"}));
  }

  TEST_CASE("cnn: wrong options name what was given") {
    const auto refused = [](const CnnOptions& options, ErrorCode code = ErrorCode::value) {
      return message_of(code, [&] { Cnn{options}; });
    };
    CHECK(mentions(refused({.depth = 0}), {"depth of 0"}));
    CHECK(mentions(refused({.width = 0}), {"width of 0"}));
    CHECK(mentions(refused({.downsamplings = -1}), {"-1 downsamplings"}));
    CHECK(mentions(refused({.image = {.inputs = {1, 4, 2}}, .downsamplings = 3}), {"3 downsamplings", "[1, 4, 2]"}));
    CHECK(mentions(refused({.downsamplings = std::int64_t{1} << 40}), {"one pixel"}));
    CHECK(mentions(refused({.image = {.inputs = {3072}}}), {"[channels, height, width]"}));
    CHECK(mentions(refused({.residual = {.form = Form::deep, .gate = {1}}}), {"gate", "deep"}));
    CHECK(mentions(refused({.residual = {.form = Form::fixup}, .activation = ScalarFunction::relu}),
                   {"fixup", "relu", "slope"}));
    CHECK(mentions(refused({.init = "delta"}), {"delta"}));
    CHECK(mentions(refused({.init = "orthogonal"}, ErrorCode::shape), {"orthogonal", "delta_orthogonal"}));
  }
}
