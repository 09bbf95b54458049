#include "tools/rezero/network_inputs.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/random.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/command.h"
#include "tools/rezero/transformer_inputs.h"

namespace rz::tool {
namespace {

std::int64_t samples_wanted(const InputOptions& options, std::int64_t otherwise, std::int64_t most,
                            std::string_view where) {
  const std::int64_t samples = options.samples == 0 ? otherwise : options.samples;
  if (samples > most)
    throw UsageError(fmt::format("--samples: {} were asked for, but {} has {}", samples, where, most));
  return samples;
}

// Of one example: a Jacobian has (tokens d_model)^2 entries.
Shape example_shape(const InputOptions& options, const Source& source) {
  constexpr std::int64_t usual = 16;
  const Shape shape = source.model->state_shape();
  if (!source.recipe.model.is_transformer()) return shape;
  return shape.with(0, options.tokens > 0 ? options.tokens : std::min(usual, shape[0]));
}

Inputs gaussian_inputs(const InputOptions& options, const Source& source, DType precision) {
  const auto seed = static_cast<std::uint64_t>(source.recipe.train.seed);
  const std::int64_t samples = samples_wanted(options, 10, std::int64_t{1} << 40, "N(0, 1)");
  Random random(seed, stream_named("jacobian/inputs"));
  const Shape shape = example_shape(options, source).prepended(samples);
  Inputs inputs{normal_tensor(shape, random, precision), {}, fmt::format("{} from N(0, 1), seed {}", samples, seed)};
  if (source.recipe.model.is_transformer()) inputs.text += fmt::format(", {} tokens each", shape[1]);
  if (source.recipe.model.family != "decoder") return inputs;
  Random more(seed, stream_named("jacobian/memory"));
  inputs.held.memory = normal_tensor(shape, more, precision);
  inputs.text += ", memory likewise";
  return inputs;
}

// The first tokens of windows.
Inputs token_inputs(const InputOptions& options, const Source& source, const Dataset& data) {
  const std::int64_t samples = samples_wanted(options, std::min<std::int64_t>(10, data.size()), data.size(), data.name);
  const std::int64_t all = data.windows.context, tokens = example_shape(options, source)[0];
  if (tokens > all)
    throw UsageError(fmt::format("--tokens: {} were asked for, but the windows of {} have {}", tokens, data.name, all));
  std::vector<std::int64_t> window(static_cast<std::size_t>(all)),
      labels(static_cast<std::size_t>(data.windows.labels));
  std::vector<double> values;
  for (std::int64_t i = 0; i < samples; ++i) {
    data.windows.write(data.tokens, i, window.data(), labels.data());
    values.insert(values.end(), window.begin(), window.begin() + tokens);
  }
  return {Tensor::of({samples, tokens}, values, DType::i64),
          {},
          fmt::format("the first {} windows of {}, {} tokens each", samples, data.name, tokens)};
}

Inputs data_inputs(const InputOptions& options, const Source& source, DType precision) {
  const Dataset data = load_split(source.recipe, "validation");
  if (data.is_text()) return token_inputs(options, source, data);
  const std::int64_t samples = samples_wanted(options, std::min<std::int64_t>(10, data.size()), data.size(), data.name);
  const Tensor images = decode_images(data, 0, samples, normalisation_of(source.recipe), precision);
  return {images.reshape(source.model->input_shape().prepended(samples)),
          {},
          fmt::format("the first {} of {}, {}", samples, data.name, data.real() ? "as they are" : "normalised")};
}

}  // namespace

void add_inputs(CLI::App& command, InputOptions& options) {
  CLI::Option* const input =
      command.add_option("--input", options.input,
                         "Inputs, used as they are: [samples, inputs], or one input;\n"
                         "of a Transformer [samples, tokens, d_model] or integers [samples, tokens], or an .npz with\n"
                         "PyTorch's names: src, src_mask, src_key_padding_mask; tgt, memory, tgt_mask, ...");
  input->type_name("FILE.npy|FILE.npz");
  command
      .add_option("--tokens", options.tokens,
                  "Of --inputs: tokens of an example of a Transformer (default model.context,\nat most 16)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20).description(""));
  command
      .add_option("--inputs", options.inputs,
                  "data: validation examples in order, normalised (default, if the recipe's data fit the network);\n"
                  "gaussian: each entry from N(0, 1), by the recipe's seed (default of Transformers: hidden states)")
      ->type_name("data|gaussian")
      ->check(CLI::IsMember({"data", "gaussian"}).description(""));
  command.add_option("--samples", options.samples, "How many inputs (default 10, or all of --input FILE)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40).description(""));
}

void check_inputs(const InputOptions& options) {
  if (!options.input.empty() && !options.inputs.empty())
    throw UsageError("--inputs: the inputs are those of --input FILE (give one of the two)");
  if (!options.input.empty() && options.tokens > 0)
    throw UsageError("--tokens: the inputs are those of --input FILE (give one of the two)");
}

Inputs open_inputs(const InputOptions& options, const Source& source, DType precision) {
  const bool transformer = source.recipe.model.is_transformer();
  if (options.tokens > 0 && !transformer)
    throw UsageError(fmt::format("--tokens: the family {} has no tokens", source.recipe.model.family));
  if (!options.input.empty()) {
    TransformerArrays arrays;
    if (!transformer) arrays.main = read_inputs(options.input, *source.model, precision);
    if (transformer)
      arrays = read_transformer_arrays(options.input, source.recipe.model.family, *source.model, precision);
    const std::int64_t all = arrays.main.shape()[0], samples = samples_wanted(options, all, all, options.input);
    return {arrays.main.rows(0, samples), nn::examples(arrays.held, 0, samples),
            fmt::format("{} of {}, as they are", samples, absolute(options.input))};
  }
  const bool data = options.inputs == "data" || (options.inputs.empty() && data_fits(source.recipe, *source.model));
  return data ? data_inputs(options, source, precision) : gaussian_inputs(options, source, precision);
}

void for_each_held(nn::Model& model, const Inputs& inputs,
                   const std::function<void(const Tensor& values, std::int64_t first)>& look) {
  const Tensor values = inputs.values.to(model.parameters().device());
  if (!inputs.held.by_example()) {
    hold(model, inputs.held);
    return look(values, 0);
  }
  for (std::int64_t i = 0; i < values.shape()[0]; ++i) {
    hold(model, nn::examples(inputs.held, i, 1));
    look(values.rows(i, 1), i);
  }
}

}  // namespace rz::tool
