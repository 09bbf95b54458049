// Runs the command `rezero` as a user would, and other programs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/close.h"

namespace rz::test {

using Arguments = std::vector<std::string>;
Arguments operator+(Arguments a, const Arguments& b);  // one after the other

struct CommandResult {
  int exit_code = -1;  // 128 + signal where one ended it
  std::string out, error;
};

struct CommandOptions {
  std::string out{};                                               // where standard output goes instead: /dev/full, say
  std::vector<std::pair<std::string, std::string>> environment{};  // set in addition
  std::string folder{};                                            // working directory
};

inline const std::string quickstart_recipe = RZ_TEST_SOURCE_DIR "/../tools/recipes/quickstart.toml";

// RZ_COMMAND with these arguments.
CommandResult run_command(const std::vector<std::string>& arguments, const CommandOptions& options = {});

// A process that runs beside the test.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments, const CommandOptions& options = {});  // of RZ_COMMAND
  ~Process();                                                                                       // kills it
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  void signal(int number) const;
  bool running();
  CommandResult wait();  // until it ends; reads what it wrote

 private:
  int process_ = -1, status_ = 0;
  std::string out_, error_;  // files
};

// Whether `error` is one line "rezero: ..." and nothing else was written.
Comparison one_line_error(const CommandResult& result);

// Checks that these arguments end with that exit code and one line on standard error that mentions the parts in order.
void check_refused(const std::vector<std::string>& arguments, int exit_code, const std::vector<std::string>& parts,
                   const CommandOptions& options = {});

std::string contents(const std::string& path);  // "" if it cannot be read
void write_file(const std::string& path, const std::string& bytes);

}  // namespace rz::test
