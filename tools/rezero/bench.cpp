// rezero bench: how fast this machine runs what we do. To be put beside a peer in the same run: other programs on the
// machine slow both.
#include "tools/rezero/bench.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "data/file.h"
#include "optim/options.h"
#include "tools/rezero/command.h"
#include "tools/rezero/outputs.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

struct BenchCommandOptions {
  BenchOptions bench;
  int threads = 0;
  bool json = false;
  std::string out;                 // a file; empty: not asked for
  std::string old_path, new_path;  // of compare
};

struct Benchmark {
  const CLI::App* command;
  std::function<BenchResult(const BenchOptions&)> run;
};

CLI::App& add_benchmark(CLI::App& bench, const char* name, const char* summary, BenchCommandOptions& options) {
  CLI::App& command = *bench.add_subcommand(name, summary);
  command.footer("");
  add_json(command, options.json);
  add_file(command, "--out", options.out, "The same JSON document as a file, for `rezero bench compare`");
  add_threads(command, options.threads);
  return command;
}

void add_count(CLI::App& command, const char* name, std::int64_t& value, std::int64_t least, std::int64_t most,
               const char* text) {
  command.add_option(name, value, text)
      ->type_name("N")
      ->check(CLI::Range(least, most).description(""))
      ->capture_default_str();
}

constexpr std::int64_t many = std::int64_t{1} << 24;

void add_repetitions(CLI::App& command, BenchOptions& options) {
  add_count(command, "--steps", options.steps, 1, many, "Timed repetitions");
  add_count(command, "--warmup", options.warmup, 1, many, "Repetitions before");
}

void add_sizes(CLI::App& command, BenchOptions& options) {
  add_count(command, "--depth", options.depth, 1, many, "Layers of the stack");
  add_count(command, "--width", options.width, 1, many, "Units of a layer");
  add_repetitions(command, options);
}

std::vector<std::string> optimizer_names() {
  return {optim::optimizer_names().begin(), optim::optimizer_names().end()};
}

void add_form(CLI::App& command, BenchOptions& options) {
  command.add_option("--form", options.form, "Residual form")->type_name("FORM")->capture_default_str();
}

CLI::App& add_fc(CLI::App& bench, BenchCommandOptions& options) {
  CLI::App& command =
      add_benchmark(bench, "fc", "Whole training steps of a fully connected net on random data", options);
  add_sizes(command, options.bench);
  add_count(command, "--batch", options.bench.batch, 1, many, "Examples of a step");
  add_form(command, options.bench);
  command.add_option("--precision", options.bench.precision, "Of matrix products, as train.precision")
      ->type_name("P")
      ->check(CLI::IsMember({"f32", "high", "bf16"}).description(""))
      ->capture_default_str();
  return command;
}

CLI::App& add_transformer(CLI::App& bench, BenchCommandOptions& options) {
  CLI::App& command =
      add_benchmark(bench, "transformer", "Whole training steps of a character Transformer on random tokens", options);
  TransformerSizes& sizes = options.bench.transformer;
  add_count(command, "--layers", sizes.layers, 1, many, "Layers of the stack");
  add_count(command, "--d-model", sizes.d_model, 1, many, "Units of a token");
  add_count(command, "--heads", sizes.heads, 1, many, "Heads of attention, a divisor of --d-model");
  add_count(command, "--feed-forward", sizes.feed_forward, 1, many, "Hidden units of the feed-forward part");
  add_count(command, "--context", sizes.context, 1, many, "Tokens of a sequence");
  add_count(command, "--batch", sizes.batch, 1, many, "Sequences of a step");
  add_repetitions(command, options.bench);
  add_form(command, options.bench);
  return command;
}

CLI::App& add_resnet(CLI::App& bench, BenchCommandOptions& options) {
  CLI::App& command =
      add_benchmark(bench, "resnet", "Whole training steps of a CIFAR ResNet on random images", options);
  add_count(command, "--layers", options.bench.resnet.layers, 1, many, "6 n + 2");
  add_count(command, "--batch", options.bench.batch, 1, many, "Images of a step");
  add_repetitions(command, options.bench);
  add_form(command, options.bench);
  command
      .add_option("--memory", options.bench.resnet.memory,
                  "Of a step, such as 8GB: blocks that do not fit are computed twice (default: no limit)")
      ->type_name("SIZE");
  return command;
}

CLI::App& add_jacobian(CLI::App& bench, BenchCommandOptions& options) {
  CLI::App& command = add_benchmark(bench, "jacobian", "Jacobian of a stack in f64 and its singular values", options);
  add_sizes(command, options.bench);
  return command;
}

CLI::App& add_optimizer(CLI::App& bench, BenchCommandOptions& options) {
  CLI::App& command =
      add_benchmark(bench, "optimizer", "Updates of many weights, against the memory's bandwidth", options);
  add_count(command, "--parameters", options.bench.parameters, 1, std::int64_t{1} << 32, "Weights, in f32");
  add_repetitions(command, options.bench);
  command.add_option("--name", options.bench.optimizer, "Update rule")
      ->type_name("NAME")
      ->check(CLI::IsMember(optimizer_names()).description(""))
      ->capture_default_str();
  return command;
}

CLI::App& add_compare(CLI::App& bench, BenchCommandOptions& options) {
  CLI::App& command = *bench.add_subcommand("compare", "Two documents side by side: what became slower or faster");
  command.footer(
      "\nMeasurements are matched by name, unit and threads. One counts as slower or faster only where the ranges\n"
      "from the 10th to the 90th percentile do not overlap; a single run has no range and never counts. Where peak "
      "and\n"
      "bandwidths of `rezero bench machine` became slower too, the machine did: measure on a quiet one.\n"
      "Exit codes: 1 if a measurement is slower in that sense (or at a failure), else 0.\n\n"
      "Example:\n"
      "  rezero bench machine --out old.json\n"
      "  rezero bench machine --out new.json       # after a change\n"
      "  rezero bench compare old.json new.json");
  command.add_option("old", options.old_path, "The document that `rezero bench NAME --out` wrote before")
      ->type_name("OLD.json")
      ->required();
  command.add_option("new", options.new_path, "The one to set against it")->type_name("NEW.json")->required();
  add_json(command, options.json);
  return command;
}

int measure(const Benchmark& benchmark, const BenchCommandOptions& options) {
  check_files(options.json, {options.out});
  set_threads(options.threads);
  const BenchResult result = benchmark.run(options.bench);
  if (!options.out.empty()) write_atomically(options.out, result.json);
  if (takes_standard_output({options.out})) return exit_success;
  print(options.json ? result.json : result.text);
  if (!options.out.empty() && !options.json) print(fmt::format("written: {}\n", absolute(options.out)));
  return exit_success;
}

}  // namespace

Command make_bench(CLI::App& app) {
  const auto options = std::make_shared<BenchCommandOptions>();
  CLI::App* const command =
      app.add_subcommand("bench", "Time training steps, Jacobians, updates, and what the machine can do");
  command->require_subcommand(0, 1);  // none: run() says what there is
  command->footer(
      "\nExamples:\n"
      "  rezero bench fc --depth 32 --width 256 --batch 128 --steps 50\n"
      "  rezero bench transformer --layers 12 --d-model 512 --steps 5\n"
      "  rezero bench resnet --layers 56 --steps 5\n"
      "  rezero bench optimizer --name adam --parameters 100000000\n"
      "  rezero bench machine --out machine.json\n"
      "  rezero bench compare before.json machine.json\n"
      "`rezero bench NAME --help` lists the options of one.");
  const std::vector<Benchmark> benchmarks{
      {&add_fc(*command, *options), bench_fc},
      {&add_transformer(*command, *options), bench_transformer},
      {&add_resnet(*command, *options), bench_resnet},
      {&add_jacobian(*command, *options), bench_jacobian},
      {&add_optimizer(*command, *options), bench_optimizer},
      {&add_benchmark(*command, "machine",
                      "FMA peak, bandwidths, and products and kernels against them, on 1 and on all threads", *options),
       [](const BenchOptions&) { return bench_machine(); }},
      {&add_benchmark(*command, "isometry", "Whole commands: spectrum, phase diagram, density, against targets",
                      *options),
       [](const BenchOptions&) { return bench_isometry(); }}};
  const CLI::App* const compare = &add_compare(*command, *options);
  return {command, [options, benchmarks, compare] {
            if (compare->parsed()) return bench_compare(options->old_path, options->new_path, options->json);
            for (const Benchmark& benchmark : benchmarks)
              if (benchmark.command->parsed()) return measure(benchmark, *options);
            throw UsageError(
                "bench: nothing was named to measure (fc, transformer, resnet, jacobian, optimizer, machine or "
                "isometry; or "
                "compare)");
          }};
}

}  // namespace rz::tool
