#include "tools/rezero/network_inputs.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "core/random.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

std::int64_t samples_wanted(const InputOptions& options, std::int64_t otherwise, std::int64_t most,
                            std::string_view where) {
  const std::int64_t samples = options.samples == 0 ? otherwise : options.samples;
  if (samples > most)
    throw UsageError(fmt::format("--samples: {} were asked for, but {} has {}", samples, where, most));
  return samples;
}

Inputs gaussian_inputs(const InputOptions& options, const Source& source, DType precision) {
  const auto seed = static_cast<std::uint64_t>(source.recipe.train.seed);
  const std::int64_t samples = samples_wanted(options, 10, std::int64_t{1} << 40, "N(0, 1)");
  Random random(seed, stream_named("jacobian/inputs"));
  const Shape shape = source.model->input_shape().prepended(samples);
  return {normal_tensor(shape, random, precision), fmt::format("{} from N(0, 1), seed {}", samples, seed)};
}

Inputs data_inputs(const InputOptions& options, const Source& source, DType precision) {
  const Dataset data = load_split(source.recipe, "validation");
  const std::int64_t samples = samples_wanted(options, std::min<std::int64_t>(10, data.size()), data.size(), data.name);
  const Tensor images = decode_images(data, 0, samples, {}, precision);
  return {images.reshape(source.model->input_shape().prepended(samples)),
          fmt::format("the first {} of {}, {}", samples, data.name, data.real() ? "as they are" : "normalised")};
}

}  // namespace

void add_inputs(CLI::App& command, InputOptions& options) {
  CLI::Option* const input =
      command.add_option("--input", options.input, "Inputs, used as they are: [samples, inputs], or one input");
  input->type_name("FILE.npy");
  command
      .add_option("--inputs", options.inputs,
                  "data: validation images in order, normalised (default, if the recipe's data fit the network);\n"
                  "gaussian: each entry from N(0, 1), by the recipe's seed")
      ->type_name("data|gaussian")
      ->check(CLI::IsMember({"data", "gaussian"}).description(""));
  command.add_option("--samples", options.samples, "How many inputs (default 10, or all of --input FILE)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40).description(""));
}

void check_inputs(const InputOptions& options) {
  if (!options.input.empty() && !options.inputs.empty())
    throw UsageError("--inputs: the inputs are those of --input FILE (give one of the two)");
}

Inputs open_inputs(const InputOptions& options, const Source& source, DType precision) {
  if (!options.input.empty()) {
    const Tensor all = read_inputs(options.input, *source.model, precision);
    const std::int64_t samples = samples_wanted(options, all.shape()[0], all.shape()[0], options.input);
    return {all.rows(0, samples), fmt::format("{} of {}, as they are", samples, absolute(options.input))};
  }
  const bool data = options.inputs == "data" || (options.inputs.empty() && data_fits(source.recipe, *source.model));
  return data ? data_inputs(options, source, precision) : gaussian_inputs(options, source, precision);
}

}  // namespace rz::tool
