// rezero info: what this build and this machine are; rezero info RECIPE: the model's table without training.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/backend.h"
#include "core/cpu/isa.h"
#include "core/parallel.h"
#include "core/random.h"
#include "data/datasets.h"
#include "nn/forms.h"
#include "tools/rezero/command.h"
#include "tools/rezero/measure.h"
#include "tools/rezero/model.h"
#include "tools/rezero/run.h"
#include "tools/rezero/self_test.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/transformer_inputs.h"

namespace rz::tool {
namespace {

using Json = nlohmann::ordered_json;

struct InfoOptions {
  std::string recipe;
  std::vector<std::string> settings;
  int threads = 0;
  bool json = false, measure = false;
};

std::string devices() {
  std::string text = "cpu";
  for (int index = 0; index < 16; ++index) {
    const Device device{DeviceKind::cuda, static_cast<std::uint8_t>(index)};
    if (has_device(device)) text += ", " + device.text() + " (" + backend(device).description() + ")";
  }
  return text + (cuda_built() ? "" : " (built without CUDA)");
}

std::string verdict(const SelfTest& test) {
  return test.passed ? fmt::format("passed: {} products at odd shapes in f32 and f64, singular values", test.products)
                     : "FAILED: " + test.failure;
}

std::string system_text(const SelfTest& test) {
  std::string text = version_text() + "\n\n";
  const auto line = [&](std::string_view label, std::string_view value) {
    text += fmt::format("  {:<18}{}\n", label, value);
  };
  line("processor", cpu_model());
  line("instruction set", fmt::format("{} (REZERO_ISA=baseline|avx2|avx512|avx512_bf16|amx forces one)", cpu_isa()));
  line("threads", fmt::format("{} of {} cores", threads(), cores()));
  line("devices", devices());
  line("BLAS", blas_text());
  line("self-test", verdict(test));
  text += "\nData sets\n";
  for (const DatasetDescription& data : dataset_list())
    text += fmt::format("  {:<15}{}{}\n", data.name, data.summary, data.needs_path ? " (data.path)" : "");
  return text;
}

std::string system_json(const SelfTest& test) {
  Json sets = Json::array();
  for (const DatasetDescription& data : dataset_list())
    sets.push_back(
        {{"name", data.name}, {"summary", data.summary}, {"needs_path", data.needs_path}, {"classes", data.classes}});
  const Json json = {
      {"version", version_text()},
      {"processor", cpu_model()},
      {"instruction_set", cpu_isa()},
      {"threads", threads()},
      {"cores", cores()},
      {"devices", devices()},
      {"blas", blas_text()},
      {"self_test",
       {{"passed", test.passed}, {"products", test.products}, {"worst_error", test.worst}, {"failure", test.failure}}},
      {"data_sets", std::move(sets)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// The network with its initial weights, in f64, on Gaussian inputs from the recipe's seed.
isometry::Start measured(const Recipe& recipe) {
  constexpr std::int64_t inputs = 64, jacobians = 2, tokens = 4, side = 8;
  Recipe looked_at = recipe;
  if (recipe.model.takes_images() &&
      !recipe.model.inputs.empty())  // kernels are the same for small images, whose Jacobians take no gigabytes
    for (const std::size_t axis : {std::size_t{1}, std::size_t{2}})
      looked_at.model.inputs[axis] = std::min(side, looked_at.model.inputs[axis]);
  const std::unique_ptr<nn::Model> model = build_model(looked_at, DType::f64);
  model->set_training(false);
  Random random(static_cast<std::uint64_t>(recipe.train.seed), stream_named("info/inputs"));
  Shape example = model->state_shape();
  if (recipe.model.is_transformer()) example = example.with(0, std::min(tokens, example[0]));
  if (recipe.model.family == "decoder") {
    nn::HeldInputs held;
    held.memory = normal_tensor(example.prepended(1), random);
    hold(*model, held);
  }
  return isometry::measure_start(*model, normal_tensor(example.prepended(inputs), random), jacobians);
}

std::string model_json(const nn::Model& model, const Recipe& recipe, bool measure) {
  Json parameters = Json::array();
  const ParameterStore& store = model.parameters();
  for (int i = 0; i < store.size(); ++i) {
    const Parameter parameter = store[i];
    const auto extents = parameter.shape().extents();
    parameters.push_back({{"name", parameter.name()},
                          {"shape", std::vector<std::int64_t>(extents.begin(), extents.end())},
                          {"role", name(parameter.role())},
                          {"scalars", parameter.shape().elements()}});
  }
  Json json = {{"family", recipe.model.family},
               {"form", recipe.model.form},
               {"formula", model.formula()},
               {"constants", model.constants()},
               {"source", nn::row(nn::form_named(recipe.model.form)).source},
               {"scalars", store.scalars()},
               {"parameters", parameters}};
  if (measure) json["start"] = Json::parse(start_json(measured(recipe)));
  return json.dump() + "\n";
}

int run(const InfoOptions& options) {
  set_threads(options.threads);
  if (options.recipe.empty()) {
    if (!options.settings.empty())
      throw UsageError("--set: there is no recipe to set something in (info RECIPE --set ...)");
    if (options.measure)
      throw UsageError("--measure: there is no recipe whose network to measure (info RECIPE --measure)");
    const SelfTest test = blas_self_test();
    print(options.json ? system_json(test) : system_text(test));
    if (!test.passed) say("rezero: BLAS: its self-test failed: " + test.failure + " (use another build of OpenBLAS)\n");
    return test.passed ? exit_success : exit_failure;
  }
  const Recipe recipe = completed(load_recipe(options.recipe, options.settings));
  const std::unique_ptr<nn::Model> model = declare_model(recipe);
  if (options.json) {
    print(model_json(*model, recipe, options.measure));
  } else {
    const std::string start = options.measure ? start_text(measured(recipe)) : "";
    print(model_summary(recipe, *model) + start);
  }
  return exit_success;
}

}  // namespace

Command make_info(CLI::App& app) {
  const auto options = std::make_shared<InfoOptions>();
  CLI::App* const command = app.add_subcommand("info", "This build and this machine; or the model of a recipe");
  command->footer(
      "Without RECIPE: versions, processor, BLAS with a test of it, devices and data sets. With it: the model's\n"
      "table of parameters and its residual form, without training; with --measure also what it does at its start:\n"
      "gates, sizes of branches and hidden states by depth, singular values of the stack, and what they mean.\n\n"
      "Example:\n"
      "  rezero info tools/recipes/quickstart.toml --set model.form=post_norm --measure");
  command->add_option("recipe", options->recipe, "A recipe (TOML)")->type_name("RECIPE.toml");
  command->add_option("--set", options->settings, "A value in place of the recipe's; may be given several times")
      ->type_name("SECTION.KEY=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--measure", options->measure, "Run the network with its initial weights and measure it");
  add_json(*command, options->json);
  add_threads(*command, options->threads);
  return {command, [options] { return run(*options); }};
}

}  // namespace rz::tool
