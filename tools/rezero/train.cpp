// rezero train: a run from a recipe, or one that goes on.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "core/precision.h"
#include "data/file.h"
#include "data/text.h"
#include "nn/forms.h"
#include "nn/init.h"
#include "nn/norm.h"
#include "optim/options.h"
#include "optim/schedule.h"
#include "tools/rezero/command.h"
#include "tools/rezero/explain.h"
#include "tools/rezero/model.h"
#include "tools/rezero/run.h"
#include "tools/rezero/terminal.h"
#include "tools/rezero/trainer.h"

namespace rz::tool {
namespace {

struct TrainOptions {
  std::string recipe, out, resume;
  std::vector<std::string> settings;
  int threads = -1;  // the recipe's
  bool dry_run = false, continue_anyway = false, explain = false;
};

// What a checkpoint stands for: with another value it means nothing.
bool is_fixed(std::string_view key) {
  for (const std::string_view section : {"model.", "data."})
    if (key.starts_with(section) && key != "data.path") return true;
  return key == "optimizer.name" || key == "train.batch_size" || key == "train.seed" || key == "train.precision" ||
         key == "train.device" || key == "train.ema";
}

Recipe resumed_recipe(const TrainOptions& options) {
  const Recipe before = load_run_recipe(options.resume);
  std::vector<std::string> settings = options.settings;
  // More steps than the epochs of the recipe hold make the run longer, too.
  if (is_set(settings, "train.steps") && !is_set(settings, "train.epochs")) settings.emplace_back("train.epochs=0");
  Recipe recipe = load_run_recipe(options.resume, settings);
  for (const std::string& key : differing_keys(before, recipe))
    if (is_fixed(key))
      throw UsageError(
          fmt::format("--set: {} cannot change in a run that goes on (start another one with --out)", key));
  return recipe;
}

std::string default_out(const std::string& recipe) { return "runs/" + std::filesystem::path(recipe).stem().string(); }

void check_options(const TrainOptions& o) {
  const bool resume = !o.resume.empty();
  if (!resume && o.recipe.empty())
    throw UsageError("train: no recipe was given (rezero train RECIPE.toml, or --resume DIR)");
  if (resume && !o.recipe.empty())
    throw UsageError(
        fmt::format("train: --resume goes on from the run's own recipe (leave {} out)", printable(o.recipe)));
  if (resume && !o.out.empty()) throw UsageError("train: --resume goes on in the run's own folder (leave --out out)");
}

std::string closing_line(const Trainer& trainer, const RunPaths& paths) {
  const Metrics& m = trainer.last_epoch();
  const TrainState& state = trainer.state();
  const bool by_accuracy = m.unit == LossUnit::nats;
  const std::string best = state.best_step < 0
                               ? ""
                               : fmt::format(" (best {}{:.4f} at step {})", by_accuracy ? "" : "loss ",
                                             by_accuracy ? state.best_accuracy : state.best_loss, state.best_step);
  return fmt::format("done: {} steps in {:.1f} s; validation loss {:.4f}, accuracy {:.4f}{}\nrun: {}\n",
                     grouped(static_cast<std::uint64_t>(state.step)), state.seconds, m.validation_loss.value_or(0),
                     m.validation_accuracy.value_or(0), best, paths.directory);
}

int run_explain(const TrainOptions& options) {
  if (!options.recipe.empty() || !options.resume.empty() || !options.out.empty())
    throw UsageError(
        "--explain: shows two steps of a tiny network of its own, without a recipe or a run (--set changes it)");
  print(explain_training(options.settings));
  return exit_success;
}

int run_train(const TrainOptions& options) {
  if (options.explain) return run_explain(options);
  check_options(options);
  const bool resume = !options.resume.empty();
  Recipe recipe = resume ? resumed_recipe(options) : load_recipe(options.recipe, options.settings);
  if (options.threads >= 0) recipe.train.threads = options.threads;
  set_threads(static_cast<int>(recipe.train.threads));

  const std::string out = options.out.empty() ? default_out(options.recipe) : options.out;
  const RunPaths paths(resume ? options.resume : out);
  if (!resume) check_new_run(paths);
  const auto precision = checked_usage("train.precision", [&] {
    return ProductPrecisionScope(recipe.train.products, Device::parse(recipe.train.device));
  });
  declare_model(recipe);  // a mistake in the model shows before data are read
  const DataSplits data = load_data(recipe);
  fill_in(recipe, data);
  const std::unique_ptr<nn::Model> model = build_model(recipe);
  Trainer trainer(recipe, data, *model, paths);
  std::string summary = model_summary(recipe, *model) + machine_line() + "\n";
  if (!recipe.train.memory.empty())
    summary +=
        fmt::format("train.memory {}: {} blocks computed twice\n", recipe.train.memory, trainer.recomputed_blocks());
  if (options.dry_run) {
    print(summary);
    return exit_success;
  }

  check_space(paths.checkpoints, (resume ? 1 : 2) * checkpoint_bytes(*model), "train: the next checkpoint");
  if (!resume) make_run_folders(paths);
  const RunLock lock(paths);
  std::string warning;
  if (resume) {
    warning = check_resumable(paths, data);
    trainer.go_on();
    if (trainer.state().step >= trainer.total_steps()) {
      print(fmt::format("{}: the run is complete, it has {} steps (--set train.steps=N makes it longer)\n",
                        paths.directory, grouped(static_cast<std::uint64_t>(trainer.state().step))));
      return exit_success;
    }
  }
  write_run_files(paths, recipe, data);  // fails in a folder that is read-only, before anything is said
  print(summary);
  if (!warning.empty()) say("rezero: " + warning + "\n");
  if (resume) say(fmt::format("goes on after step {}\n", grouped(static_cast<std::uint64_t>(trainer.state().step))));

  if (trainer.run(options.continue_anyway) == Outcome::interrupted) {
    say(fmt::format("rezero: interrupted after step {}; a checkpoint is written (go on: rezero train --resume {})\n",
                    trainer.state().step, paths.directory));
    return exit_interrupted;
  }
  print(closing_line(trainer, paths));
  return exit_success;
}

// Only made when help is asked for.
std::string footer() {
  std::string text =
      "\nExamples\n"
      "  rezero train tools/recipes/quickstart.toml --set model.form=deep --out runs/deep\n"
      "  rezero train --explain --set model.activation=tanh        the calculus of two steps, for students\n"
      "  rezero train tools/recipes/fc64-rezero.toml --set data.path=DIR     after rezero data fetch cifar10 --out "
      "DIR\n"
      "  rezero train tools/recipes/resnet20-rezero-short.toml --set data.path=DIR     one epoch of a ResNet\n"
      "  rezero train tools/recipes/quickstart.toml --set data.name=npy --set data.path=DIR   your own x.npy and "
      "y.npy\n"
      "  rezero train --resume runs/deep                           after Ctrl-C or a crash\n"
      "  rezero train --resume runs/deep --set train.steps=4000    makes the run longer\n"
      "The run's folder holds recipe.toml (with all values as used), run.json, metrics.jsonl and checkpoints/.\n"
      "Ctrl-C finishes the step and writes a checkpoint; a second one stops at once.\n"
      "\nKeys of a recipe\n";
  std::string section;
  for (const std::string& key : recipe_keys()) {
    const std::size_t dot = key.rfind('.');
    if (key.substr(0, dot) != section) {
      text += (section.empty() ? "  [" : "\n  [") + key.substr(0, dot) + "]";
      section = key.substr(0, dot);
    }
    text += " " + key.substr(dot + 1);
  }
  text += "\n\nOptimisers, with the keys that each uses and their defaults\n" + choices_text("optimizer");
  text +=
      "  optimizer.base_depth = N, of model.form = branch_scale and rules with eps: settings found with N layers "
      "serve\n"
      "  at model.depth; in the layers the rate is taken times m^(p-1) and eps times m^-p, m = depth / N, p = "
      "branch_p\n"
      "  (CompleteP; model.branch_k = N^p gives its branch factor m^-p)\n";
  text += "\nSchedules (steps count from 1; step_size and milestones have to be given)\n" + choices_text("schedule");
  text.pop_back();
  text += "\n\nNames";
  const auto names = [&](std::string_view key, const auto& list) {
    text += fmt::format("\n  {}: {}", key, fmt::join(list, " "));
  };
  std::vector<std::string_view> forms, functions;
  for (const nn::FormRow& row : nn::forms()) forms.push_back(row.name);
  for (const ScalarFunction f : activations()) functions.push_back(info(f).name);
  names("model.family", model_families());
  names("model.form", forms);
  names("model.activation", functions);
  names("model.norm", nn::norm_kinds());
  text += " (of resnet and preact_resnet: batch none)";
  names("model.init", nn::init::names());
  text += " authors mean_field";
  names("optimizer.name", optim::optimizer_names());
  names("schedule.name", optim::schedule_names());
  return text;
}

}  // namespace

Command make_train(CLI::App& app) {
  const auto options = std::make_shared<TrainOptions>();
  CLI::App* command = app.add_subcommand("train", "Train the network of a recipe, or go on with a run");
  command->add_option("recipe", options->recipe, "The recipe, such as tools/recipes/quickstart.toml")
      ->type_name("RECIPE.toml");
  command
      ->add_option("--set", options->settings,
                   "A value in place of the recipe's, such as model.depth=64; may be given several times")
      ->type_name("SECTION.KEY=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--out", options->out, "The folder for the run [runs/NAME, NAME being the recipe's without .toml]")
      ->type_name("DIR");
  command
      ->add_option("--resume", options->resume,
                   "Go on with the run in this folder, bit for bit as if it had not stopped")
      ->type_name("DIR");
  command->add_flag("--dry-run", options->dry_run, "Check everything, print the model's table, and stop");
  command->add_flag("--explain", options->explain,
                    "Instead of a run: two steps of a two-unit network, every operation with formula and numbers");
  command->add_flag("--continue", options->continue_anyway, "Train on when the loss or the gradient is not finite");
  command
      ->add_option("--threads", options->threads,
                   "Threads to compute with, in place of the recipe's train.threads; 0 is one per core")
      ->type_name("N")
      ->check(CLI::Range(0, 1024));
  command->footer("");  // not the program's as well
  command->footer(footer);
  return {command, [options] { return run_train(*options); }};
}

}  // namespace rz::tool
