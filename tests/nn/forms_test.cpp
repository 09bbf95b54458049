// The table of residual forms: formulas, constants against published numbers, and starts.
#include "nn/forms.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <map>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/linalg.h"
#include "core/ops.h"
#include "nn/init.h"
#include "nn/models/fully_connected.h"
#include "support/close.h"
#include "support/inputs.h"

namespace {
using namespace rz;
using namespace rz::test;
using nn::Form;
using nn::FullyConnected;
using nn::FullyConnectedOptions;

FullyConnectedOptions small(Form form, std::int64_t depth = 2, std::int64_t width = 5) {
  return {.inputs = {6},
          .outputs = 4,
          .depth = depth,
          .width = width,
          .residual = {.form = form},
          .activation = ScalarFunction::tanh,
          .branch = nn::default_branch(form)};
}

std::unique_ptr<FullyConnected> built(const FullyConnectedOptions& options) {
  auto model = std::make_unique<FullyConnected>(options);
  model->parameters().build(3, DType::f64);
  return model;
}

// All parameters drawn anew, so that no start value hides a term.
void shake(FullyConnected& model) {
  const ParameterStore& store = model.parameters();
  for (int i = 0; i < store.size(); ++i)
    store[i].value().copy_from(ops::scale(0.7, normal_input(store[i].shape(), store[i].name().c_str())));
}

Tensor stack_jacobian(const FullyConnected& model, JacobianMode mode) {
  const nn::Stages chain = model.stages();
  const Tensor h = chain.input(Variable(normal_input({1, 6}, "x"))).value();
  const auto stack = [&](const Variable& v) {
    Variable y = v;
    for (const Function& stage : chain.stages) y = stage(y);
    return y;
  };
  return jacobian(stack, h, {.mode = mode});
}

using Branch = std::function<Variable(const Variable&)>;
// The value of a parameter of the layer: element l of [L], row l of [L, width], or the whole of it.
struct LayerValues {
  const ParameterStore& store;
  std::int64_t l;
  Variable whole(const std::string& name) const { return Variable(store.find(name).value()); }
  Variable at(const std::string& name) const {
    const Tensor all = store.find(name).value();
    return Variable(all.shape().rank() == 1 ? all.rows(l, 1) : all.rows(l, 1).reshape({all.shape()[1]}));
  }
  Variable norm(const Variable& x, const std::string& name = "ln") const {
    return layer_norm(x, whole(name + ".weight"), whole(name + ".bias"));
  }
  Variable transform(const Variable& x) const {
    const std::string name = "transform_layers." + std::to_string(l);
    return sigmoid(linear(x, whole(name + ".weight"), whole(name + ".bias")));
  }
};

using Formula = std::function<Variable(const Variable& x, const Variable& x_0, const Branch& f, const LayerValues& v)>;
// For depth 2 and one matrix per branch, written out by hand.
const std::map<Form, Formula> formulas{
    {Form::deep, [](auto& x, auto&, auto& f, auto&) { return f(x); }},
    {Form::residual, [](auto& x, auto&, auto& f, auto&) { return add(x, f(x)); }},
    {Form::deep_layer_norm, [](auto& x, auto&, auto& f, auto& v) { return v.norm(f(x)); }},
    {Form::pre_norm, [](auto& x, auto&, auto& f, auto& v) { return add(x, f(v.norm(x))); }},
    {Form::post_norm, [](auto& x, auto&, auto& f, auto& v) { return v.norm(add(x, f(x))); }},
    {Form::rezero, [](auto& x, auto&, auto& f, auto& v) { return add(x, multiply(v.at("resweight"), f(x))); }},
    {Form::rezero_one, [](auto& x, auto&, auto& f, auto& v) { return add(x, multiply(v.at("resweight"), f(x))); }},
    {Form::gated, [](auto& x, auto&, auto& f, auto& v) { return add(x, multiply(relu(v.at("resweight")), f(x))); }},
    {Form::highway,
     [](auto& x, auto&, auto& f, auto& v) {
       const Variable t = v.transform(x);
       return add(multiply(t, f(x)), subtract(x, multiply(t, x)));
     }},
    {Form::fixup,
     [](auto& x, auto&, auto& f, auto& v) {
       return add(add(x, multiply(v.at("resweight"), f(add(x, v.at("bias_in"))))), v.at("bias_out"));
     }},
    {Form::skip_init,
     [](auto& x, auto&, auto& f, auto& v) {
       const double deviation = v.l == 0 ? 1 : std::sqrt(1.04);
       return add(x, scale(0.2, multiply(v.at("resweight"), f(scale(1 / deviation, x)))));
     }},
    {Form::zero_gamma, [](auto& x, auto&, auto& f, auto& v) { return add(x, v.norm(f(x))); }},
    {Form::layer_scale, [](auto& x, auto&, auto& f, auto& v) { return add(x, multiply(v.at("resweight"), f(x))); }},
    {Form::deepnorm, [](auto& x, auto&, auto& f, auto& v) { return v.norm(add(scale(std::pow(2, 0.25), x), f(x))); }},
    {Form::branch_scale, [](auto& x, auto&, auto& f, auto&) { return add(x, scale(1 / std::sqrt(2.0), f(x))); }},
    {Form::zero_projection, [](auto& x, auto&, auto& f, auto&) { return add(x, f(x)); }},
    {Form::tanh_gate, [](auto& x, auto&, auto& f, auto& v) { return add(x, multiply(tanh(v.at("resweight")), f(x))); }},
    {Form::convex,
     [](auto& x, auto&, auto& f, auto& v) {
       const Variable c = v.at("resweight");
       return add(subtract(x, multiply(c, x)), multiply(c, f(x)));
     }},
    {Form::residual_scalars,
     [](auto& x, auto& x_0, auto& f, auto& v) {
       return add(add(multiply(v.at("skipweight"), x), multiply(v.at("resweight"), f(x))),
                  multiply(v.at("inputweight"), x_0));
     }},
    {Form::peri_norm, [](auto& x, auto&, auto& f, auto& v) { return add(x, v.norm(f(v.norm(x)), "ln_out")); }},
    {Form::reordered_norm, [](auto& x, auto&, auto& f, auto& v) { return add(x, v.norm(f(x))); }},
    {Form::layer_norm_scaling,
     [](auto& x, auto&, auto& f, auto& v) {
       return add(x, f(scale(1 / std::sqrt(static_cast<double>(v.l + 1)), v.norm(x))));
     }},
    {Form::admin,
     [](auto& x, auto&, auto& f, auto& v) { return v.norm(add(scale(std::sqrt(3 / std::log(3.0) - 1), x), f(x))); }},
    {Form::keel, [](auto& x, auto&, auto& f, auto& v) { return v.norm(add(scale(2, x), f(v.norm(x))), "ln_out"); }},
    {Form::gpt2_norm, [](auto& x, auto&, auto& f, auto& v) { return add(x, v.norm(f(x))); }},
    {Form::t_fixup, [](auto& x, auto&, auto& f, auto&) { return add(x, f(x)); }},
};

// A laboratory branch with |F(x)| = |x|, independent of x. E|x_L|^2 / |x_0|^2 of L layers with one branch each.
double growth(Form form, std::int64_t layers, double p = 0.5) {
  const nn::FormRow& f = nn::row(form);
  double q = 1;
  for (nn::Position at{.layers = layers, .sublayers = layers, .p = p}; at.layer <= layers; ++at.layer) {
    const double input = f.input.at(at) * f.input.at(at) * (f.norm_in ? 1 : q);
    const double branch = f.norm_out ? 1 : input, g = f.branch.at(at), s = f.skip.at(at);
    q = f.norm_post ? 1 : s * s * q + g * g * branch;
  }
  return q;
}

// What the skip path is multiplied with by the norms of n = 2 L sub-layers whose branches have two matrices.
double skip_factor(Form form, std::int64_t layers) {
  const nn::FormRow& f = nn::row(form);
  const nn::Position at{.layers = layers, .sublayers = 2 * layers, .matrices = 2};
  const double s = f.skip.at(at), branch = std::pow(f.weight.at(at), 2);
  return std::pow(1 + branch * branch / (s * s), -static_cast<double>(layers));
}
}  // namespace

TEST_SUITE("nn/forms") {
  TEST_CASE("every form is its formula, and its Jacobian is the same in both modes") {
    for (const nn::FormRow& form : nn::forms()) {
      CAPTURE(form.name);
      const auto model = built(small(form.form));
      shake(*model);
      const ParameterStore& p = model->parameters();
      const auto w = [&](const std::string& name) { return Variable(p.find(name).value()); };
      const bool last = nn::default_branch(form.form) == nn::Branch::activation_last;
      const Tensor x = normal_input({3, 6}, "x");
      const Variable x_0 = linear(Variable(x), w("linear_input.weight"), w("linear_input.bias"),
                                  last ? ScalarFunction::tanh : ScalarFunction::identity);
      Variable h = x_0;
      for (std::int64_t i = 0; i < 2; ++i) {
        const std::string layer = "linear_layers." + std::to_string(i);
        const Variable bias = form.scalar_biases ? Variable() : w(layer + ".bias");
        const auto branch = [&](const Variable& z) {
          return last ? tanh(linear(z, w(layer + ".weight"), bias)) : linear(tanh(z), w(layer + ".weight"), bias);
        };
        h = formulas.at(form.form)(h, x_0, branch, {p, i});
      }
      const Variable y = linear(h, w("linear_output.weight"), w("linear_output.bias"));
      CHECK(close(model->forward(Variable(x)).value(), y.value(), 1e-13));
      CHECK(close(stack_jacobian(*model, JacobianMode::forward), stack_jacobian(*model, JacobianMode::reverse), 1e-12));
    }
    CHECK(formulas.size() == nn::forms().size());
  }

  TEST_CASE("forward growth and skip factors at 12, 64, 128 and 1000 layers") {
    const std::int64_t depths[] = {12, 64, 128, 1000};
    const auto expect = [&](const char* what, std::initializer_list<double> wanted, double tolerance, auto&& value) {
      CAPTURE(what);
      for (std::size_t k = 0; k < wanted.size(); ++k) {
        CAPTURE(depths[k]);
        CHECK(std::fabs(value(depths[k]) - wanted.begin()[k]) <= tolerance);
      }
    };
    expect("residual, log10", {3.6, 19.3, 38.5, 301}, 0.05,
           [](auto l) { return std::log10(growth(Form::residual, l)); });
    expect("k / sqrt(L)", {2.61, 2.70, 2.71, 2.717}, 0.005, [](auto l) { return growth(Form::branch_scale, l); });
    expect("1 / L", {1.09, 1.016, 1.008, 1.001}, 0.004, [](auto l) { return growth(Form::branch_scale, l, 1); });
    expect("pre-norm", {13, 65, 129, 1001}, 1e-9, [](auto l) { return growth(Form::pre_norm, l); });
    expect("peri-norm", {13, 65, 129, 1001}, 1e-9, [](auto l) { return growth(Form::peri_norm, l); });
    expect("layer norm scaling", {4.1, 5.7, 6.4, 8.5}, 0.05,
           [](auto l) { return growth(Form::layer_norm_scaling, l); });
    expect("post-norm, log10", {-3.6, -19.3, -38.5, -301}, 0.05,
           [](auto l) { return std::log10(skip_factor(Form::post_norm, l)); });
    expect("admin", {0.19, 0.086, 0.061, 0.022}, 0.005, [](auto l) { return skip_factor(Form::admin, l); });
    expect("deepnorm", {0.975, 0.989, 0.992, 0.997}, 0.00051, [](auto l) { return skip_factor(Form::deepnorm, l); });
    expect("keel", {0.92, 0.985, 0.992, 0.999}, 0.00051, [](auto l) { return skip_factor(Form::keel, l); });
  }

  TEST_CASE("forms whose branch starts at 0 start with J = 1 exactly; learned scalars start conformal") {
    for (const Form form :
         {Form::rezero, Form::fixup, Form::skip_init, Form::zero_gamma, Form::zero_projection, Form::tanh_gate}) {
      CAPTURE(nn::row(form).name);
      CHECK(identical(stack_jacobian(*built(small(form, 7)), JacobianMode::forward), Tensor::identity(5)));
    }
    // nanochat's scalars by depth; modded-nanogpt's skip of sqrt(1.1) before each of two sub-layers.
    for (const auto& [depth, wanted, tolerance] : {std::tuple{12, 5.8, 0.05}, {20, 14.0, 0.05}, {32, 46.7, 0.05}}) {
      const Tensor j = stack_jacobian(*built(small(Form::residual_scalars, depth)), JacobianMode::forward);
      CAPTURE(depth);
      CHECK(std::fabs(j.to_vector()[0] - wanted) <= tolerance);
      CHECK(close(j, ops::scale(j.to_vector()[0], Tensor::identity(5)), 1e-12));
    }
    for (const auto& [depth, wanted, tolerance] : {std::tuple{12, 3.1, 0.05}, {32, 21.0, 0.5}}) {
      FullyConnectedOptions options = small(Form::residual_scalars, depth);
      options.residual.skip = {1.1};
      options.residual.injection = {0};
      const Tensor j = stack_jacobian(*built(options), JacobianMode::forward);
      CHECK(std::fabs(j.to_vector()[0] - wanted) <= tolerance);
    }
  }

  TEST_CASE("start values: deviations of deepnorm's weights, zeros, vectors, biases") {
    const auto deviation = [](const FullyConnected& model, const char* name) {
      const Tensor v = model.parameters().find(name).value();
      return std::sqrt(ops::sum_of_squares(v).item() / static_cast<double>(v.elements()));
    };
    const auto deepnorm = built(small(Form::deepnorm, 16, 100));
    CHECK(
        close(deviation(*deepnorm, "linear_layers.3.weight") / (std::sqrt(2.0 / 100) * std::pow(64, -0.25)), 1, 0.03));
    CHECK(deviation(*built(small(Form::zero_projection)), "linear_layers.1.weight") == 0);
    CHECK(deviation(*built(small(Form::zero_gamma)), "ln.weight") == 0);
    const auto highway = built(small(Form::highway));
    CHECK(close(highway->parameters().find("transform_layers.1.bias").value(), {-2, -2, -2, -2, -2}, 0));
    for (const auto& [depth, start] : {std::pair{18, 0.1}, {24, 1e-5}, {36, 1e-6}}) {
      const Tensor gates = built(small(Form::layer_scale, depth))->residual_weights().front().value();
      CHECK(gates.shape() == Shape{depth, 5});
      CHECK(close(gates, Tensor::full({depth, 5}, start, DType::f64), 0));
    }
    CHECK(!built(small(Form::fixup))->parameters().find("linear_layers.0.bias").defined());
  }

  TEST_CASE("axes: vectors of gates, gates that stay, kinds of norm, gains") {
    FullyConnectedOptions options = small(Form::rezero);
    options.residual.gate = {0.3, -0.7};
    const auto scalar = built(options);
    options.residual.gate_shape = nn::GateShape::vector;
    const auto vector = built(options);
    const Variable x(normal_input({3, 6}, "x"));
    CHECK(vector->residual_weights().front().shape() == Shape{2, 5});
    CHECK(close(vector->forward(x).value(), scalar->forward(x).value(), 1e-14));

    options.residual.train_gates = false;
    const auto fixed = built(options);
    {
      Tape tape;
      tape.backward(sum(fixed->forward(x)));
    }
    CHECK(ops::sum_of_squares(fixed->parameters().find("linear_layers.0.weight").gradient()).item() > 0);
    CHECK(ops::sum_of_squares(fixed->residual_weights().front().gradient()).item() == 0);

    FullyConnectedOptions normed = small(Form::reordered_norm);
    normed.residual.norm_gain = 0;
    CHECK(identical(stack_jacobian(*built(normed), JacobianMode::forward), Tensor::identity(5)));
    const Form with_norm[] = {Form::pre_norm, Form::peri_norm};
    for (const std::string_view kind : nn::norm_kinds()) {
      CAPTURE(kind);
      for (const Form form : with_norm) {
        FullyConnectedOptions o = small(form);
        o.residual.norm = nn::norm_kind_named(kind);
        const auto model = built(o);
        shake(*model);
        CHECK(
            close(stack_jacobian(*model, JacobianMode::forward), stack_jacobian(*model, JacobianMode::reverse), 1e-12));
      }
    }
  }

  TEST_CASE("every form learns: from the third step on every hidden weight has a gradient") {
    for (const nn::FormRow& form : nn::forms()) {
      CAPTURE(form.name);
      const auto model = built(small(form.form, 3));
      ParameterStore& store = model->parameters();
      for (int step = 0; step < 3; ++step) {
        Tape tape;
        const Variable y = model->forward(Variable(normal_input({8, 6}, "x")));
        tape.backward(sum(square(add(y, Variable(normal_input({8, 4}, "target"))))));
        ops::binary(Binary::subtract, store.values(), ops::scale(1e-2, store.gradients()), Destination{store.values()});
      }
      for (int i = 0; i < store.size(); ++i) {
        if (!store[i].name().starts_with("linear_layers.") || !store[i].name().ends_with("weight")) continue;
        CAPTURE(store[i].name());
        CHECK(ops::sum_of_squares(store[i].gradient()).item() > 0);
      }
    }
  }

  TEST_CASE("options that a form has no use for are refused, constants are printed") {
    const auto refused = [](Form form, nn::ResidualOptions options, std::initializer_list<std::string> parts) {
      options.form = form;
      CHECK(mentions(
          message_of(ErrorCode::value,
                     [&] { FullyConnected({.depth = 4, .residual = options, .branch = nn::default_branch(form)}); }),
          parts));
    };
    refused(Form::post_norm, {.gate = {1}}, {"gate", "post_norm"});
    refused(Form::residual, {.gate_shape = nn::GateShape::vector}, {"shape of gates", "residual"});
    refused(Form::rezero, {.norm = nn::NormKind::dyt}, {"norm", "rezero"});
    refused(Form::pre_norm, {.norm_gain = 0}, {"gain", "pre_norm"});
    refused(Form::residual, {.branch_p = 1}, {"k and p", "branch_scale", "residual"});
    refused(Form::rezero, {.skip = {1}}, {"scalars", "rezero"});
    refused(Form::rezero, {.gate_shape = nn::GateShape::none}, {"rezero", "scalar or vector"});
    refused(Form::residual, {.train_gates = false}, {"gates", "residual"});
    refused(Form::gated, {.gate = {-1}}, {"gated", "-1", "never move"});
    CHECK(mentions(message_of(ErrorCode::value, [] { FullyConnected({.residual = {.form = Form::zero_projection}}); }),
                   {"zero_projection", "relu", "activation_first"}));
    refused(Form::residual_scalars, {.skip = {1, 2}}, {"2 skip scalars", "4 layers"});
    CHECK(nn::constants_text(Form::deepnorm, {.layers = 16, .sublayers = 16}) ==
          "s = n^(1/4) = 2, beta = (4 n)^(-1/4) = 0.3536");
    CHECK(nn::constants_text(Form::layer_norm_scaling, {.layers = 16}) == "c = l^(-1/2) = 1 ... 0.25");
    CHECK(nn::constants_text(Form::rezero, {.layers = 16}).empty());
  }
}
