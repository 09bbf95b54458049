// rezero: the command. Reads the arguments, runs a subcommand, and turns every failure into one line and an exit code.
#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "core/nearest.h"
#include "data/text.h"
#include "tools/rezero/command.h"
#include "tools/rezero/interrupt.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/run.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

constexpr const char* description =
    "rezero: very deep networks with residual weights. Train them in several residual forms, compare the runs, and "
    "look at the\n"
    "singular values of their input-output Jacobians.";
constexpr const char* footer =
    "\nExamples\n"
    "  rezero train tools/recipes/quickstart.toml\n"
    "  rezero train tools/recipes/quickstart.toml --set model.form=deep --out runs/deep\n"
    "  rezero compare runs/quickstart runs/deep --svg curves.svg\n"
    "  rezero jacobian runs/quickstart --svg spectrum.svg\n"
    "`rezero COMMAND --help` explains a command. Exit codes: 0 done, 1 failure, 2 wrong usage, 130 interrupted.";

// Descriptors 0 to 2 that the shell has closed would be given to the next files that are opened: what is printed would
// land in them.
void occupy_standard_streams() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) == -1) [[maybe_unused]]
      const int opened = open("/dev/null", O_RDONLY);
  }
}

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (std::size_t at; (at = text.find('\n')) != std::string::npos;) text.replace(at, 1, " ");
  return text;
}

int fail(int code, const std::string& message) {
  say("rezero: " + one_line(message) + "\n");
  return code;
}

std::string unknown_option(const CLI::App& command, const std::string& where, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  const std::string flag = word.substr(0, word.find('='));
  const std::vector<std::string_view> known(names.begin(), names.end());
  if (std::ranges::find(names, flag) != names.end())
    return fmt::format("{}: stands before {}, but options of {} come after its name", flag, command.get_name(), where);
  return fmt::format("{}: unknown option {}{}", where, printable(flag),
                     did_you_mean(flag, known, " (" + where + " --help lists them)"));
}

// What the parser cannot say well: the first word is neither a command nor an option.
void check_first_word(const CLI::App& app, std::span<char*> arguments) {
  if (arguments.size() < 2) throw UsageError("command: none was given (rezero --help lists them)");
  const std::string word = arguments[1];
  if (word.starts_with("-")) {
    if (word == "-h" || word == "--help" || word == "--version") return;
    throw UsageError(unknown_option(app, "rezero", word));
  }
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  if (std::ranges::find(names, word) != names.end()) return;
  const std::vector<std::string_view> known(names.begin(), names.end());
  throw UsageError(
      fmt::format("{}: is not a command{}", printable(word), did_you_mean(word, known, " (rezero --help lists them)")));
}

// The command that was named, with that within it: "data show".
struct Chosen {
  const CLI::App* app;
  std::string name;
};
Chosen chosen(const CLI::App& app) {
  Chosen found{&app, ""};
  for (auto commands = app.get_subcommands(); !commands.empty(); commands = found.app->get_subcommands()) {
    found.app = commands.front();
    found.name += (found.name.empty() ? "" : " ") + found.app->get_name();
  }
  return found;
}

std::string unexpected_argument(const CLI::App& app) {
  const auto [command, name] = chosen(app);
  const std::vector<std::string> extras = app.remaining(true);
  const std::string word = extras.empty() ? "" : extras.front();
  if (word.starts_with("-")) return unknown_option(*command, "rezero " + name, word);
  return fmt::format("{}: the argument {} was not expected (rezero {} --help)", name, printable(word), name);
}

// "Could not convert: --depth = 12x"
std::string unreadable_value(const CLI::ConversionError& error) {
  const std::string_view text = error.what(), opening = "Could not convert: ", between = " = ";
  const std::size_t at = text.find(between);
  if (!text.starts_with(opening) || at == std::string_view::npos) return one_line(error.what());
  const std::string_view flag = text.substr(opening.size(), at - opening.size());
  return fmt::format("{}: {}", flag, why_no_number(text.substr(at + between.size())));
}

int parse_and_run(std::span<char*> arguments) {
  CLI::App app(description, "rezero");
  app.footer(footer);
  app.require_subcommand(1);
  app.set_version_flag("--version", version_text() + "\n", "Print the version");
  const std::vector<Command> commands{make_train(app),    make_compare(app),  make_eval(app),    make_sample(app),
                                      make_jacobian(app), make_spectrum(app), make_theory(app),  make_propagate(app),
                                      make_watch(app),    make_bench(app),    make_info(app),    make_toy(app),
                                      make_sweep(app),    make_data(app),     make_weights(app), make_doctor(app)};
  check_first_word(app, arguments);
  try {
    app.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return exit_success;
  } catch (const CLI::CallForVersion&) {
    print(version_text() + "\n");
    return exit_success;
  } catch (const CLI::ExtrasError&) {
    throw UsageError(unexpected_argument(app));
  } catch (const CLI::ConversionError& error) {
    const std::string name = chosen(app).name;
    throw UsageError(fmt::format("{}: {} (rezero {} --help)", name, unreadable_value(error), name));
  } catch (const CLI::ParseError& error) {
    const std::string name = chosen(app).name;
    throw UsageError(fmt::format("{}: {} (rezero {} --help)", name, one_line(error.what()), name));
  }
  for (const Command& command : commands)
    if (command.app->parsed()) return command.run();
  return exit_usage;
}

}  // namespace
}  // namespace rz::tool

int main(int count, char** arguments) {
  using namespace rz::tool;
  occupy_standard_streams();
  install_signal_handlers();
  try {
    return parse_and_run({arguments, static_cast<std::size_t>(count)});
  } catch (const UsageError& error) {
    return fail(exit_usage, error.message());
  } catch (const rz::Error& error) {
    return fail(exit_failure, error.message());
  } catch (const std::bad_alloc&) {
    return fail(exit_failure, "memory: there is not enough of it");
  } catch (const std::exception& error) {
    return fail(exit_failure, std::string("internal: ") + error.what());
  }
}
