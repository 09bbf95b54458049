#include "tools/rezero/explain.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/error.h"
#include "core/ops.h"
#include "data/text.h"
#include "optim/optimizer.h"
#include "tools/rezero/command.h"
#include "tools/rezero/explain_formulas.h"
#include "tools/rezero/model.h"

namespace rz::tool {
namespace {

constexpr std::string_view tiny = R"(
[model]
depth = 1
width = 2
inputs = 2
outputs = 2
[optimizer]
name = "sgd"
learning_rate = 0.1
[train]
steps = 2
batch_size = 1
seed = 8
precision = "f64"
)";

// [1.5, -0.25]; rows of a matrix beside each other: [[1, 2], [3, 4]].
std::string numbers(const Tensor& t) {
  const std::vector<double> values = t.to_vector();
  if (t.shape().rank() == 0) return fmt::format("{:.4g}", values[0]);
  std::string out;
  const auto columns = static_cast<std::size_t>(t.shape()[-1]), rows = columns ? values.size() / columns : 0;
  for (std::size_t r = 0; r < rows; ++r) {
    out += r ? ", [" : "[";
    for (std::size_t c = 0; c < columns; ++c)
      out += fmt::format("{}{:.4g}", c ? ", " : "", values[r * columns + c] + 0.0);  // no -0
    out += "]";
  }
  return rows > 1 ? "[" + out + "]" : out;
}

// Writes down what the tape does.
class Narrator : public TapeWatch {
 public:
  explicit Narrator(ParameterStore& store) {
    for (int i = 0; i < store.size(); ++i) name(store[i].value(), store[i].name());
  }

  void name(const Tensor& t, const std::string& label) {
    labels_[t.raw()] = label;
    kept_.push_back(t);  // an address names one tensor as long as it lives
  }

  void forward(std::size_t index, const OperationName& operation, std::span<const Variable* const> inputs,
               const Tensor& y) override {
    Told told{operation.text,
              {},
              y.shape().rank() == 0 ? "loss" : fmt::format("h{}", ++hidden_),
              operation.function ? info(operation.function->function).name : std::string_view()};
    std::string values;
    for (const Variable* input : inputs) {
      if (!input->defined()) continue;
      told.inputs.push_back(label(input->value()));
      values += fmt::format("       {} = {}\n", told.inputs.back(), numbers(input->value()));
    }
    name(y, told.y);
    const std::string_view formula = formula_of(told.operation).forward;
    text += fmt::format("  {}. {} = {}    ({})\n{}       {} = {}\n", ++step_, told.y,
                        formula.empty() ? told.operation : filled(formula, told.inputs, told.y, told.function),
                        told.operation, values, told.y, numbers(y));
    told.step = step_;
    told_.emplace(index, std::move(told));
  }

  void backward(std::size_t index, const Tensor& d_y, std::span<const Tensor> d_inputs) override {
    const Told& told = told_.at(index);
    text += fmt::format("  {}. d_{} = {}    ({})\n", told.step, told.y, numbers(d_y), told.operation);
    const auto& formulas = formula_of(told.operation).backward;
    for (std::size_t i = 0; i < d_inputs.size() && i < told.inputs.size(); ++i) {
      if (!d_inputs[i].defined()) continue;
      const bool more = !reached_.insert(told.inputs[i]).second;  // it was used twice: gradients add up
      const std::string formula = i < formulas.size() ? filled(formulas[i], told.inputs, told.y, told.function) : "";
      text += fmt::format("       d_{} {} {}{}{}\n", told.inputs[i], more ? "+=" : "=", formula,
                          more              ? ", in all "
                          : formula.empty() ? ""
                                            : " = ",
                          numbers(d_inputs[i]));
    }
  }

  std::string text;

 private:
  struct Told {
    std::string operation;
    std::vector<std::string> inputs;
    std::string y;
    std::string_view function;  // that it applies, or ""
    int step = 0;
  };
  std::string label(const Tensor& t) {
    const auto found = labels_.find(t.raw());
    return found == labels_.end() ? "a constant" : found->second;
  }
  std::map<const void*, std::string> labels_;
  std::vector<Tensor> kept_;
  std::map<std::size_t, Told> told_;
  std::set<std::string> reached_;  // by a gradient
  int hidden_ = 0, step_ = 0;
};

// What a step is like before it is taken: values and slots of each parameter.
class UpdateNarrator {
 public:
  UpdateNarrator(ParameterStore& store, const optim::Optimizer& optimizer) : store_(store), optimizer_(optimizer) {
    for (int i = 0; i < store.size(); ++i) before_.push_back(store[i].value().clone());
  }

  std::string text(const StepState& state) const {
    const double norm = state.get(state_gradient_norm), scale = state.get(state_gradient_scale),
                 clip = optimizer_.options().clip_norm;
    std::string out =
        fmt::format("  d is the gradient, of norm {:.4g} over all parameters; scale = {}\n", norm,
                    clip > 0 ? fmt::format("min(1, clip_norm / norm) = {:.4g}", scale) : "1, no clip_norm");
    for (int i = 0; i < store_.size(); ++i) out += parameter_text(store_[i], state.get(state_rate), scale);
    return out;
  }

 private:
  std::string parameter_text(const Parameter& p, double rate, double scale) const {
    const optim::OptimizerOptions& options = optimizer_.options();
    const UpdateFormula formula = update_formula(options, p.role(), p.shape().rank());
    const bool in_layers = p.name().starts_with(options.layers.prefix);
    const double decay = optimizer_.weight_decay(p.role());
    const Tensor w = before_[static_cast<std::size_t>(p.index())], d = p.gradient();
    Tensor g = ops::scale(scale, d);
    if (formula.adds_decay) g = ops::add(g, ops::scale(decay, w));
    const double own_rate = rate * optimizer_.rate_factor(p.role()) * (in_layers ? options.layers.rate_factor : 1);
    std::string text = fmt::format("  w = {}: rate {:g}, weight_decay {:g}", p.name(), own_rate, decay);
    if (options.eps) text += fmt::format(", eps {:g}", *options.eps * (in_layers ? options.layers.eps_factor : 1));
    text += fmt::format("\n       was w = {}\n       d = {}\n       g = {} = {}\n", numbers(w), numbers(d),
                        formula.adds_decay ? "scale d + weight_decay w" : "scale d", numbers(g));
    for (const StateFormula& slot : formula.state)
      text += fmt::format("       {} = {} = {}    ({})\n", slot.symbol, slot.formula,
                          numbers(store_.slot(slot.slot, p)), slot.slot);
    return text + fmt::format("       w = {}\n         = {}\n", formula.value, numbers(p.value()));
  }

  ParameterStore& store_;
  const optim::Optimizer& optimizer_;
  std::vector<Tensor> before_;
};

// What the step shows about the gates.
std::string moral(nn::Model& model, int step) {
  const std::vector<Parameter> gates = model.residual_weights();
  const Parameter weight = model.parameters().find("linear_layers.0.weight");
  if (gates.empty() || !weight.defined()) return "";
  const double gate = ops::sum_of_squares(gates.front().gradient()).item(),
               inner = ops::sum_of_squares(weight.gradient()).item();
  if (step == 1 && inner == 0 && gate > 0)
    return "The gate is 0, so d_F = g d_y = 0 and the weights inside the branch get no gradient; the gate's own "
           "gradient\n"
           "<d_y, F> is not 0. The gate moves first.\n";
  if (step == 2 && inner > 0)
    return "The gate is no longer 0: now the weights inside the branch have a gradient, too.\n";
  return "";
}

std::string one_step(nn::Model& model, const optim::Optimizer& optimizer, const Recipe& recipe, int step) {
  ParameterStore& store = model.parameters();
  std::vector<double> example{1, -0.5};
  example.resize(static_cast<std::size_t>(model.input_shape().elements()), 0.25);
  const Tensor x = Tensor::of({1, model.input_shape().elements()}, example);
  const Tensor label = Tensor::of_integers({1}, std::vector<std::int64_t>{0});
  StepState state;
  state.set(step, optimizer.learning_rate());
  Narrator narrator(store);
  narrator.name(x, "x");
  narrator.text = fmt::format("Step {}. Example x = {}, label 0\n\nForward\n", step, numbers(x));
  {
    Tape tape;
    const Variable loss = softmax_cross_entropy(model.forward(x), label);
    narrator.text +=
        "\nBackward: the same operations from the last to the first; d_h is the gradient of the loss by h\n";
    tape.backward(loss);
  }
  const UpdateNarrator update(store, optimizer);
  optimizer.step(store, state);
  return narrator.text + fmt::format("\nUpdate ({}: {})\n", recipe.optimizer.name, settings_text(recipe, "optimizer")) +
         update.text(state) + "\n" + moral(model, step) + "\n";
}

}  // namespace

std::string explain_training(std::span<const std::string> settings) {
  for (const std::string& setting : settings)
    if (!setting.starts_with("model.") && !setting.starts_with("optimizer.") && !setting.starts_with("train.seed"))
      throw UsageError(fmt::format("--explain: has no use for {} (model., optimizer. and train.seed can be set)",
                                   printable(setting)));
  const Recipe recipe = parse_recipe(tiny, "--explain", settings);
  const std::unique_ptr<nn::Model> model = build_model(recipe, DType::f64);
  if (model->parameters().scalars() > 200)
    throw UsageError(
        fmt::format("--explain: the network has {} numbers, which nobody reads (at most 200; lower model.width, "
                    "model.depth or model.inputs)",
                    model->parameters().scalars()));
  const auto optimizer = checked_usage("--explain", [&] { return optim::Optimizer::create(recipe.optimizer); });
  optimizer->prepare(model->parameters());
  std::string text = model_summary(recipe, *model);
  for (const int step : {1, 2}) text += one_step(*model, *optimizer, recipe, step);
  return text;
}

}  // namespace rz::tool
