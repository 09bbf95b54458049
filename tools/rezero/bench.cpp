// rezero bench: how fast this machine runs what we do. To be put beside a peer in the same run: other programs on the
// machine slow both.
#include "tools/rezero/bench.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "core/parallel.h"
#include "tools/rezero/command.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

struct Options {
  BenchOptions bench;
  int threads = 0;
};

CLI::App& add_benchmark(CLI::App& bench, const char* name, const char* summary, Options& options) {
  CLI::App& command = *bench.add_subcommand(name, summary);
  command.footer("");
  add_json(command, options.bench.json);
  add_threads(command, options.threads);
  return command;
}

void add_sizes(CLI::App& command, BenchOptions& options) {
  const auto add = [&](const char* name, std::int64_t& value, std::int64_t least, const char* text) {
    command.add_option(name, value, text)
        ->type_name("N")
        ->check(CLI::Range(least, std::int64_t{1} << 24).description(""))
        ->capture_default_str();
  };
  add("--depth", options.depth, 1, "Layers of the stack");
  add("--width", options.width, 1, "Units of a layer");
  add("--steps", options.steps, 1, "Timed repetitions");
  add("--warmup", options.warmup, 1, "Repetitions before");
}

}  // namespace

Command make_bench(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("bench", "Time training steps, Jacobians, and what the machine can do");
  command->require_subcommand(0, 1);  // none: run() says what there is
  command->footer(
      "\nExamples:\n"
      "  rezero bench fc --depth 32 --width 256 --batch 128 --steps 50\n"
      "  rezero bench machine --json\n"
      "`rezero bench NAME --help` lists the options of one.");
  CLI::App& fc =
      add_benchmark(*command, "fc", "Whole training steps of a fully connected net on random data", *options);
  add_sizes(fc, options->bench);
  fc.add_option("--batch", options->bench.batch, "Examples of a step")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 24).description(""))
      ->capture_default_str();
  fc.add_option("--form", options->bench.form, "Residual form")->type_name("FORM")->capture_default_str();
  CLI::App& jacobian =
      add_benchmark(*command, "jacobian", "Jacobian of a stack in f64 and its singular values", *options);
  add_sizes(jacobian, options->bench);
  CLI::App& machine = add_benchmark(*command, "machine",
                                    "FMA peak, memory bandwidth and matrix products on 1 and on all threads", *options);
  return {command, [options, &fc, &jacobian, &machine] {
            if (!fc.parsed() && !jacobian.parsed() && !machine.parsed())
              throw UsageError("bench: nothing was named to measure (fc, jacobian or machine)");
            set_threads(options->threads);
            print(fc.parsed()         ? bench_fc(options->bench)
                  : jacobian.parsed() ? bench_jacobian(options->bench)
                                      : bench_machine(options->bench.json));
            return static_cast<int>(exit_success);
          }};
}

}  // namespace rz::tool
