#include "tools/rezero/model.h"

#include <fmt/format.h>

#include "core/error.h"
#include "data/datasets.h"
#include "data/normalisation.h"
#include "nn/models/char_transformer.h"
#include "nn/models/cnn.h"
#include "nn/models/fully_connected.h"
#include "nn/models/preact_resnet.h"
#include "nn/models/resnet.h"
#include "nn/models/seq2seq.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

nn::ResidualOptions residual_options(const ModelRecipe& m) {
  nn::ResidualOptions options;
  options.form = nn::form_named(m.form);
  options.gate = m.gate;
  if (!m.gate_shape.empty())
    options.gate_shape = m.gate_shape == "vector" ? nn::GateShape::vector : nn::GateShape::scalar;
  options.train_gates = m.train_gates;
  if (!m.norm.empty() && !m.is_resnet()) options.norm = nn::norm_kind_named(m.norm);
  options.norm_gain = m.norm_gain;
  options.branch_k = m.branch_k.value_or(options.branch_k);
  options.branch_p = m.branch_p.value_or(options.branch_p);
  options.skip = m.skip;
  options.injection = m.injection;
  return options;
}

Scalar activation_of(const ModelRecipe& m) {
  Scalar activation = activation_named(m.activation);
  if (m.negative_slope) activation.parameter = *m.negative_slope;
  return activation;
}

nn::FullyConnectedOptions fully_connected_options(const ModelRecipe& m) {
  nn::FullyConnectedOptions options;
  options.inputs = m.inputs.empty() ? Shape{1} : Shape(m.inputs);
  options.outputs = m.outputs == 0 ? 1 : m.outputs;
  options.depth = m.depth;
  options.width = m.width;
  options.residual = residual_options(m);
  options.activation = activation_of(m);
  options.branch = nn::branch_named(m.branch);
  options.dropout = m.dropout;
  options.init = m.init;
  options.weights = m.weights;
  options.sigma_w = m.sigma_w;
  options.sigma_b = m.sigma_b;
  return options;
}

nn::ImageOptions image_options(const ModelRecipe& m) {
  nn::ImageOptions options;
  if (!m.inputs.empty()) options.inputs = Shape(m.inputs);
  if (m.outputs != 0) options.outputs = m.outputs;
  return options;
}

nn::CnnOptions cnn_options(const ModelRecipe& m) {
  nn::CnnOptions options;
  options.image = image_options(m);
  options.depth = m.depth;
  options.width = m.width;
  options.residual = residual_options(m);
  options.activation = activation_of(m);
  options.init = m.init;
  options.sigma_w = m.sigma_w;
  options.sigma_b = m.sigma_b;
  return options;
}

nn::TransformerOptions transformer_options(const ModelRecipe& m) {
  nn::TransformerOptions options;
  options.layers = m.layers;
  options.d_model = m.d_model;
  options.heads = m.heads;
  options.feed_forward = m.feed_forward;
  options.activation = activation_of(m);
  options.dropout = m.dropout;
  options.residual = residual_options(m);
  options.gates = nn::gate_scope_named(m.gates);
  options.final_norm = m.final_norm;
  options.init = m.init;
  options.gain = m.sigma_w;
  return options;
}

std::unique_ptr<nn::Model> make_model(const ModelRecipe& m) {
  constexpr std::int64_t usual_tokens = 16, bytes = 256;
  if (m.is_fc()) return std::make_unique<nn::FullyConnected>(fully_connected_options(m));
  if (m.family == "cnn") return std::make_unique<nn::Cnn>(cnn_options(m));
  if (m.family == "resnet")
    return std::make_unique<nn::ResNet>(
        nn::ResNetOptions{m.layers, image_options(m), residual_options(m), m.norm == "batch"});
  if (m.family == "preact_resnet")
    return std::make_unique<nn::PreActResNet>(
        nn::PreActResNetOptions{m.layers, image_options(m), residual_options(m), m.norm == "batch"});
  const nn::TransformerOptions transformer = transformer_options(m);
  const std::int64_t context = m.context == 0 ? usual_tokens : m.context;
  const std::int64_t vocabulary = m.outputs == 0 ? bytes : m.outputs;
  const nn::PositionKind positions = nn::position_kind_named(m.positions);
  if (m.family == "encoder")
    return std::make_unique<nn::EncoderModel>(nn::TransformerStackOptions{transformer, context});
  if (m.family == "decoder")
    return std::make_unique<nn::DecoderModel>(nn::TransformerStackOptions{transformer, context});
  if (m.family == "char_transformer") {
    return std::make_unique<nn::CharTransformer>(
        nn::CharTransformerOptions{transformer, vocabulary, context, positions, m.tie_weights});
  }
  return std::make_unique<nn::Seq2Seq>(
      nn::Seq2SeqOptions{transformer, vocabulary, context, context, positions, m.tie_weights});
}

// The first so many examples; 0 is all of them.
void cut(Dataset& data, std::int64_t size, std::string_view key) {
  if (size == 0 || size == data.size()) return;
  if (size > data.size())
    throw UsageError(fmt::format("{} is {}, but {} has {} examples", key, size, data.name, data.size()));
  data.keep(size);
}

// Of the first examples of a text, and of what a model of tokens reads.
void check_tokens_fit(const ModelRecipe& model, std::string_view name, std::int64_t tokens, std::int64_t classes) {
  const std::int64_t wanted = model.family == "seq2seq" ? 2 * model.context : model.context;
  const bool fits = model.family == "seq2seq" ? tokens == wanted : tokens <= wanted;
  if (model.context != 0 && !fits)
    throw UsageError(fmt::format("model.context is {}, but the examples of {} have {} tokens (leave it out)",
                                 model.context, name, tokens));
  if (model.outputs != 0 && model.outputs < classes)
    throw UsageError(
        fmt::format("model.outputs is {}, but {} has a vocabulary of {} (leave it out)", model.outputs, name, classes));
}

void check_fits(const ModelRecipe& model, std::string_view name, const Shape& image_shape, std::int64_t classes) {
  if (model.takes_tokens()) return check_tokens_fit(model, name, image_shape.elements(), classes);
  const Shape inputs(model.inputs);
  if (!model.inputs.empty() && inputs.elements() != image_shape.elements())
    throw UsageError(
        fmt::format("model.inputs is {}, but the examples of {} are {} (leave model.inputs out to take them)",
                    text(inputs), name, text(image_shape)));
  if (model.outputs != 0 && model.outputs != classes)
    throw UsageError(fmt::format("model.outputs is {}, but {} has {} classes (leave model.outputs out to take them)",
                                 model.outputs, name, classes));
}

void check_inputs_fit(const Recipe& recipe) {
  const ModelRecipe& m = recipe.model;
  if (m.takes_numbers() && dataset_description(recipe.data.name).is_text)
    throw UsageError(fmt::format("model.family: {} takes {}, not tokens: {} is a text (take another data.name)",
                                 m.family, m.is_fc() ? "numbers" : "images", recipe.data.name));
}

// Data are only there for models that learn from them.
void check_learns(const Recipe& recipe) {
  const ModelRecipe& m = recipe.model;
  if (!m.takes_numbers() && !m.takes_tokens())
    throw UsageError(
        fmt::format("model.family: {} maps hidden states to hidden states, there is nothing to learn from "
                    "data (fc, cnn, resnet, preact_resnet, char_transformer and seq2seq have a loss)",
                    m.family));
  if (m.takes_tokens() && !dataset_description(recipe.data.name).is_text)
    throw UsageError(fmt::format("model.family: {} takes tokens, but {} is no text (take another data.name)", m.family,
                                 recipe.data.name));
  if ((m.family == "seq2seq") != (recipe.data.name == "reverse") && m.takes_tokens())
    throw UsageError(fmt::format(
        "model.family: {} does not learn from {} (seq2seq learns from reverse, char_transformer from texts)", m.family,
        recipe.data.name));
}

// What only open files tell: whether there are images of bytes, and of how many channels.
void check_open_images(const DataRecipe& recipe, const Dataset& data) {
  if (data.real() && recipe.normalisation != "notebook")
    throw UsageError(fmt::format("data.normalisation is {}, but {} has real values, used as they are (leave it out)",
                                 recipe.normalisation, recipe.name));
  checked_usage("", [&] {
    normalisation_named(recipe.normalisation, recipe.name, data.image_shape);
    check_augmentation(recipe.augment, data);
  });
}

}  // namespace

std::unique_ptr<nn::Model> declare_model(const Recipe& recipe) {
  check_inputs_fit(recipe);
  return checked_usage("model", [&] { return make_model(recipe.model); });
}

std::unique_ptr<nn::Model> build_model(const Recipe& recipe, std::optional<DType> precision) {
  std::unique_ptr<nn::Model> model = declare_model(recipe);
  const Device device = checked_usage("train.device", [&] { return Device::parse(recipe.train.device); });
  model->parameters().build(static_cast<std::uint64_t>(recipe.train.seed), precision.value_or(recipe.train.precision),
                            device);
  return model;
}

DataSplits load_data(const Recipe& recipe) {
  check_learns(recipe);
  const DatasetOptions options = dataset_options(recipe);
  const DatasetDescription known = describe_dataset(options);
  if (known.known()) check_fits(recipe.model, recipe.data.name, known.image_shape, known.classes);
  DataSplits data = checked_usage("", [&] { return load_dataset(options); });
  cut(data.train, recipe.data.train_size, "data.train_size");
  cut(data.validation, recipe.data.validation_size, "data.validation_size");
  check_fits(recipe.model, recipe.data.name, data.train.image_shape, data.train.classes());
  check_open_images(recipe.data, data.train);
  return data;
}

bool is_complete(const Recipe& recipe) {
  const ModelRecipe& m = recipe.model;
  if (m.takes_numbers()) return !m.inputs.empty() && m.outputs != 0;
  return !m.takes_tokens() || (m.context != 0 && m.outputs != 0);
}

void fill_in(Recipe& recipe, const DataSplits& data) {
  const auto extents = data.train.image_shape.extents();
  if (recipe.model.takes_numbers() && recipe.model.inputs.empty())
    recipe.model.inputs.assign(extents.begin(), extents.end());
  if (recipe.model.outputs == 0) recipe.model.outputs = data.train.classes();
}

Recipe completed(Recipe recipe) {
  if (is_complete(recipe)) return recipe;
  declare_model(recipe);  // a mistake in the model shows before data are read
  fill_in(recipe, load_data(recipe));
  return recipe;
}

}  // namespace rz::tool
