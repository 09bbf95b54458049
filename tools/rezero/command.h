// The subcommands of `rezero` and what they have in common. A subcommand is one file with one function make_NAME(app):
// it adds its options to the parser and returns what runs once they are read. run() returns the exit code; it throws
// rz::Error (exit 1) or UsageError (exit 2), and main prints the one line `rezero: WHAT: WHY (HINT)`.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace CLI {
class App;
}

namespace rz::tool {

enum Exit : int { exit_success = 0, exit_failure = 1, exit_usage = 2, exit_interrupted = 130 };

struct Command {
  CLI::App* app = nullptr;  // the subcommand
  std::function<int()> run;
};

// `app` is the whole program's parser.
Command make_train(CLI::App& app);
Command make_compare(CLI::App& app);
Command make_eval(CLI::App& app);
Command make_jacobian(CLI::App& app);
Command make_spectrum(CLI::App& app);
Command make_theory(CLI::App& app);
Command make_propagate(CLI::App& app);
Command make_watch(CLI::App& app);
Command make_bench(CLI::App& app);
Command make_info(CLI::App& app);
Command make_toy(CLI::App& app);
Command make_sweep(CLI::App& app);
Command make_sample(CLI::App& app);
Command make_data(CLI::App& app);
Command make_weights(CLI::App& app);
Command make_doctor(CLI::App& app);

// A mistake in the flags or in a recipe. The message has the form WHAT: WHY (HINT).
class UsageError : public Error {
 public:
  explicit UsageError(std::string message) : Error(ErrorCode::value, std::move(message)) {}
};

// f(), where an Error of code value, shape or dtype is the user's mistake: options checked by a constructor of the
// library. `what` is put before the message unless empty.
template <class F>
auto checked_usage(std::string_view what, F&& f) {
  try {
    return f();
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::value && error.code() != ErrorCode::shape && error.code() != ErrorCode::dtype) throw;
    throw UsageError((what.empty() ? "" : std::string(what) + ": ") + error.message());
  }
}

// Throws UsageError "FLAG: WHY" if `wrong`.
void refuse(bool wrong, std::string_view flag, std::string_view why);
// An option that takes one of `names`.
void add_choice(CLI::App& command, const std::string& flag, std::string& value, const std::string& text,
                const std::vector<std::string>& names);
// --threads N, for commands that compute; 0 (the default) is all cores. Call set_threads with it at the start of run().
void add_threads(CLI::App& command, int& threads);
// --json: the result as one JSON document on standard output.
void add_json(CLI::App& command, bool& json);

}  // namespace rz::tool
