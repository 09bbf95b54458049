// What moved in a step, and what cannot move.
#include "tools/rezero/monitor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/ops.h"
#include "nn/init.h"
#include "nn/models/fully_connected.h"
#include "support/close.h"
#include "support/command.h"
#include "support/inputs.h"
#include "support/small_run.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;
using nlohmann::json;

namespace {

struct Trial {
  std::unique_ptr<nn::FullyConnected> model;
  std::unique_ptr<optim::Optimizer> optimizer;
  tool::Monitor monitor;
  Tensor images;
  explicit Trial(const nn::FullyConnectedOptions& options)
      : model(build(options)),
        optimizer(optim::Optimizer::create({.name = "sgd", .learning_rate = 0.1})),
        monitor(*model, *optimizer,
                {.activation = options.activation,
                 .activation_last = options.branch == nn::Branch::activation_last,
                 .gates_are_trained = options.residual.train_gates}),
        images(normal_input({8, 6}, "images")) {}
  static std::unique_ptr<nn::FullyConnected> build(const nn::FullyConnectedOptions& options) {
    auto built = std::make_unique<nn::FullyConnected>(options);
    built->parameters().build(5, DType::f64);
    return built;
  }
  json step(std::int64_t number, double rate = 0.1) {
    StepState state;
    state.set(number, rate);
    monitor.before(images);
    {
      Tape tape;
      const Tensor labels = Tensor::of_integers({8}, std::vector<std::int64_t>{0, 1, 2, 3, 0, 1, 2, 3});
      tape.backward(softmax_cross_entropy(model->forward(Variable(images)), labels));
    }
    optimizer->step(model->parameters(), state);
    return json::parse(monitor.after(number, 1));
  }
};

nn::FullyConnectedOptions small(nn::Form form, std::int64_t depth = 3) {
  return {.inputs = {6}, .outputs = 4, .depth = depth, .width = 5, .residual = {.form = form}};
}

double norm(const Tensor& t) { return std::sqrt(ops::sum_of_squares(t).item()); }

}  // namespace

TEST_CASE("monitor: ratios, norms and second moments are those of the definitions") {
  Trial trial(small(nn::Form::rezero));
  const Tensor weight = trial.model->parameters().find("linear_output.weight").value().clone(),
               bias = trial.model->parameters().find("linear_output.bias").value().clone();
  const json line = trial.step(1);
  const ParameterStore& store = trial.model->parameters();
  const Tensor gradient = store.find("linear_output.weight").gradient(),
               d_bias = store.find("linear_output.bias").gradient();
  CHECK(line["kind"] == "monitor");
  CHECK(line["layers"]["name"] ==
        json({"linear_input", "linear_layers.0", "linear_layers.1", "linear_layers.2", "linear_output", "resweight"}));
  const double g = std::hypot(norm(gradient), norm(d_bias)), w = std::hypot(norm(weight), norm(bias));
  CHECK(close(line["layers"]["gradient_norm"][4].get<double>(), g, 1e-3));
  CHECK(close(line["layers"]["update_ratio"][4].get<double>(), 0.1 * g / w, 1e-3));
  // At a = 0 branches get no gradient and stay, the gates move, and every layer hands its input on.
  CHECK(line["layers"]["update_ratio"][2] == 0);
  CHECK(line["roles"]["residual_weight"]["changed"] == 1);
  CHECK(line["roles"]["residual_weight"]["update_ratio"].is_null());
  CHECK(line["layers"]["activation_second_moment"][1] == line["layers"]["activation_second_moment"][3]);
  CHECK(line["layers"]["activation_second_moment"][0].is_null());
  CHECK(trial.monitor.warnings().empty());
}

TEST_CASE("monitor: closed, dead, saturated and still layers are warned of once, by name") {
  const auto warned = [](Trial& trial, std::initializer_list<std::string> parts) {
    trial.step(1);
    std::string all;
    for (const std::string& warning : trial.monitor.warnings()) all += warning + "\n";
    CHECK(mentions(all, parts));
    trial.step(2, 0);
    CHECK(trial.monitor.warnings().empty());
  };
  nn::FullyConnectedOptions closed = small(nn::Form::rezero);
  closed.branch = nn::Branch::activation_first;
  Trial both_zero(closed);
  ops::fill(both_zero.model->parameters().find("linear_layers.1.weight").value(), 0);
  ops::fill(both_zero.model->parameters().find("linear_layers.1.bias").value(), 0);
  warned(both_zero, {"linear_layers.1: its gate is 0 and its last matrix is 0"});

  Trial dead(small(nn::Form::residual));
  ops::fill(dead.model->parameters().find("linear_layers.2.weight").value(), 0);
  ops::fill(dead.model->parameters().find("linear_layers.2.bias").value(), -1);
  dead.step(1, 0);  // a last layer that starts at 0 stops the first gradient: once is not enough
  CHECK(dead.monitor.warnings().empty());
  warned(dead, {"linear_layers.2: is dead"});

  nn::FullyConnectedOptions tanh = small(nn::Form::residual);
  tanh.activation = ScalarFunction::tanh;
  Trial saturated(tanh);
  ops::fill(saturated.model->parameters().find("linear_layers.0.bias").value(), 50);
  warned(saturated, {"linear_layers.0: is saturated: 100 %"});

  Trial still(small(nn::Form::rezero));
  for (const std::int64_t step : {1, 500, 1000}) still.step(step, 0);
  CHECK(still.monitor.warnings().empty());
  still.step(1001, 0);
  CHECK(still.monitor.warnings().size() == 11);  // all parameters: the rate was 0
  nn::FullyConnectedOptions fixed = small(nn::Form::rezero_one);
  fixed.residual.train_gates = false;
  Trial gates(fixed);
  for (const std::int64_t step : {1, 1200}) gates.step(step);
  CHECK(gates.monitor.warnings().empty());  // gates that are not trained may stay
}

TEST_CASE("monitor: no form is warned of at its start") {
  for (const nn::FormRow& form : nn::forms()) {
    CAPTURE(form.name);
    nn::FullyConnectedOptions options = small(form.form);
    options.branch = nn::default_branch(form.form);
    Trial trial(options);
    for (const std::int64_t step : {1, 2, 3}) trial.step(step);
    CHECK(trial.monitor.warnings().empty());
  }
}

TEST_CASE("monitor: at most 1,024 layers are written; the run's file holds monitor lines beside the steps'") {
  Trial deep(small(nn::Form::rezero, 2000));
  const json line = deep.step(1);
  CHECK(line["layers"]["name"].size() == 1024);
  CHECK(line["layers"]["name"][0] == "linear_input");
  CHECK(line["layers"]["name"][1023] == "resweight");
  const TemporaryFolder folder;
  const auto lines = [&](const std::string& name, const std::vector<std::string>& more) {
    CHECK(run_command(small_training(folder / name, more)).exit_code == 0);
    std::string text = contents(folder / (name + "/metrics.jsonl"));
    int count = 0;
    for (std::size_t at = 0; (at = text.find("\"kind\": \"monitor\"", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  CHECK(lines("on", {"--set", "train.log_every=7"}) == 1 + 60 / 7);
  CHECK(lines("off", {"--set", "train.monitor=false"}) == 0);
  CHECK(run_command({"compare", folder / "on", folder / "off"}).exit_code == 0);
}
