#include "tools/rezero/spectrum_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <set>

#include "data/file.h"
#include "tools/rezero/checkpoint.h"
#include "tools/rezero/command.h"
#include "tools/rezero/convolution_spectrum.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/run.h"
#include "tools/rezero/size.h"

namespace rz::tool {
namespace {

template <class T>
void count(CLI::App& command, const std::string& flag, std::optional<T>& value, const std::string& text,
           const std::string& name, std::int64_t least) {
  command.add_option(flag, value, text)
      ->type_name(name)
      ->check(CLI::Range(least, std::int64_t{1} << 40).description(""));
}

bool names_repeat(const std::vector<Variant>& variants) {
  std::set<std::string> names;
  for (const Variant& variant : variants) names.insert(variant.name);
  return names.size() < variants.size();
}

// "runs/a/recipe.toml" -> "a/recipe"
std::string with_folder(const std::string& recipe) {
  return std::filesystem::path(absolute(recipe)).parent_path().filename().string() + "/" + short_name(recipe);
}

void check_series(const SpectrumOptions& o) {
  const bool all = o.source.checkpoint == "all";
  const char* const one_axis = "was given, too (a series has one axis)";
  refuse(!o.gates.empty() && !o.depths.empty(), "--depths", fmt::format("--gates {}", one_axis));
  const char* const flag = !o.gates.empty() ? "--gates" : !o.depths.empty() ? "--depths" : "--beside";
  refuse(!o.beside.empty() && (!o.gates.empty() || !o.depths.empty()), "--beside",
         fmt::format("{} {}", flag, one_axis));
  const bool series = !o.gates.empty() || !o.depths.empty() || !o.beside.empty();
  refuse(series && o.source.recipe.empty(), flag, "draws new networks, so it belongs to --recipe FILE");
  refuse(series && !o.source.weights.empty(), flag, "--weights fixes the network (give one of the two)");
  refuse(all && o.source.run.empty(), "--checkpoint", "only a run has checkpoints (name RUN)");
  for (const double gate : o.gates) refuse(!std::isfinite(gate), "--gates", "a gate is not a finite number");
  for (const std::int64_t depth : o.depths) {
    refuse(depth < 1, "--depths", "a network has at least one layer");
    refuse(o.part.to.value_or(0) > depth, "--to",
           fmt::format("at depth {} there is no hidden state {} (they are counted from 0 to {})", depth, *o.part.to,
                       depth));
    refuse(o.part.from.value_or(0) >= depth, "--from",
           fmt::format("at depth {} nothing of the stack is left after hidden state {}", depth, *o.part.from));
  }
}

}  // namespace

void add_spectrum(CLI::App& command, SpectrumOptions& o) {
  add_source(command, o.source);
  command.get_option("--checkpoint")
      ->description(
          "Which weights of the run: a step's number, last (default), best, "
          "initial, or all: a series")
      ->type_name("STEP|last|best|initial|all");
  add_statistics(command, o.source);
  add_inputs(command, o.inputs);
  count(command, "--seeds", o.seeds, "Draws of the weights, from the recipe's seed on (default 1)", "K", 1);
  add_part(command, o.part);
  add_choice(command, "--method", o.method,
             "exact: J and its SVD; product: layer by layer, right in the tails; lanczos: the largest\n"
             "and smallest values, moments: of J J^T by random vectors, both without J. Default: the\n"
             "first that fits --memory of product (where the model is layered), exact, and lanczos\n"
             "(where no file or series takes whole spectra)",
             {"exact", "product", "lanczos", "moments"});
  count(command, "--top", o.top, "How many values lanczos finds at each end (default 10)", "K", 1);
  command.add_option("--precision", o.precision, "Of exact, lanczos and moments: f64 (default) or f32")
      ->type_name("f64|f32");
  command.add_option("--memory", o.memory, "Budget: bytes, or with KB ... GB, KiB ... GiB (default 1GiB)")
      ->type_name("SIZE");
  add_choice(command, "--theory", o.theory, "Lays the theory beside it: auto (default) where there is one, on: or fail",
             {"auto", "on", "none"});
  add_list(command, "--gates", o.gates, "A series: the recipe with these gates in all layers", "A,B,...");
  add_list(command, "--depths", o.depths, "A series: the recipe at these depths", "L,M,...");
  command.add_option("--beside", o.beside, "A series: the recipe, then these; --set belongs to all of them")
      ->type_name("FILE.toml ...");
  command
      .add_option(
          "--convolution", o.convolution,
          "In place of the Jacobian: all singular values of this convolution, such as layer1.0.conv1, exact for\n"
          "circular padding (by Fourier transform); the network's padding with zeros makes small differences")
      ->type_name("NAME");
  command
      .add_option("--size", o.size,
                  "Of --convolution: the images that it reads (default: those that it reads in the network)")
      ->type_name("HxW");
  add_outputs(command, o.output, "Singular values", "A picture");
  add_choice(command, "--picture", o.picture,
             "histogram: of log10 sigma, with the theory (default); edges: largest and smallest value over a series;\n"
             "fan: singular values of the partial Jacobians over depth, of the first sample",
             {"histogram", "edges", "fan"});
}

void check_spectrum(const SpectrumOptions& o) {
  check_inputs(o.inputs);
  parse_size(o.memory, "--memory");
  check_convolution(o);
  check_series(o);
  const bool fixed = !o.source.run.empty() || !o.source.weights.empty();
  refuse(o.seeds && fixed, "--seeds", "draws weights, but they are given (--recipe alone draws them)");
  check_part(o.part);
  refuse(o.top && o.method != "lanczos", "--top", "belongs to --method lanczos");
  refuse(o.method == "product" && o.precision != "f64", "--precision", "the product form is f64 throughout");
  const bool axis = !o.gates.empty() || !o.depths.empty() || o.source.checkpoint == "all";
  const bool series = axis || !o.beside.empty();
  const bool drawn = !o.output.svg.empty() || !o.output.png.empty();
  refuse(o.picture == "edges" && !axis, "--picture", "edges is one of a series (--gates, --depths, --checkpoint all)");
  refuse(o.picture == "fan" && series, "--picture", "fan is one of a single network");
  refuse(o.picture == "fan" && o.part.of == "network", "--picture", "fan is one of the stack");
  refuse(o.picture != "histogram" && !drawn, "--picture", "no file was named (--svg or --png)");
  const bool whole = o.method != "lanczos" && o.method != "moments";
  refuse(o.theory == "on" && !whole, "--theory", "stands beside whole spectra (--method exact or product)");
  refuse(series && !whole, "--method", o.method + " takes a single network, not a series");
}

std::vector<std::int64_t> steps_of_run(const std::string& run) {
  require_run(run);
  const std::vector<std::int64_t> steps = checkpoint_steps(RunPaths(run).checkpoints);
  RZ_CHECK(
      file, !steps.empty(),
      "{}: the run has no checkpoints (checkpoint.every = STEPS and checkpoint.keep = \"all\" of the recipe make them)",
      absolute(run));
  return steps;
}

std::vector<Variant> variants_of(const SpectrumOptions& o) {
  std::vector<Variant> variants;
  const auto with_setting = [&](std::string key, double value, std::string setting) {
    SourceOptions source = o.source;
    source.settings.push_back(std::move(setting));
    variants.push_back({std::move(key), value, fmt::format("{}", value), std::move(source)});
  };
  for (const double gate : o.gates) with_setting("gate", gate, fmt::format("model.gate={}", gate));
  const char* const depth_key = !o.depths.empty() && !load_recipe(o.source.recipe, o.source.settings).model.is_fc()
                                    ? "model.layers"
                                    : "model.depth";
  for (const std::int64_t depth : o.depths)
    with_setting("depth", static_cast<double>(depth), fmt::format("{}={}", depth_key, depth));
  if (!o.beside.empty()) {
    std::vector<std::string> recipes{o.source.recipe};
    recipes.insert(recipes.end(), o.beside.begin(), o.beside.end());
    for (const std::string& recipe : recipes) {
      SourceOptions source = o.source;
      source.recipe = recipe;
      variants.push_back({"recipe", static_cast<double>(variants.size()), short_name(recipe), std::move(source)});
    }
    if (names_repeat(variants))
      for (Variant& variant : variants) variant.name = with_folder(variant.source.recipe);
  }
  if (o.source.checkpoint == "all") {
    for (const std::int64_t step : steps_of_run(o.source.run)) {
      SourceOptions source = o.source;
      source.checkpoint = std::to_string(step);
      variants.push_back({"step", static_cast<double>(step), source.checkpoint, source});
    }
  }
  if (variants.empty()) variants.push_back({"", 0, "", o.source});
  return variants;
}

}  // namespace rz::tool
