#include "support/command.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace rz::test {
namespace {

std::string temporary_file() {
  std::string name = (std::filesystem::temp_directory_path() / "rezero-test-XXXXXX").string();
  const int descriptor = mkstemp(name.data());
  if (descriptor < 0) throw std::runtime_error("no temporary file");
  ::close(descriptor);
  return name;
}

[[noreturn]] void become(const std::vector<std::string>& words, const CommandOptions& options, const std::string& out,
                         const std::string& error) {
  if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) _exit(126);
  for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
  const int in_stream = open("/dev/null", O_RDONLY), out_stream = open(out.c_str(), O_WRONLY | O_APPEND),
            error_stream = open(error.c_str(), O_WRONLY | O_APPEND);
  if (dup2(in_stream, 0) < 0 || dup2(out_stream, 1) < 0 || dup2(error_stream, 2) < 0) _exit(126);
  for (const int descriptor : {in_stream, out_stream, error_stream})
    if (descriptor > 2) ::close(descriptor);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

Process::Process(const std::vector<std::string>& arguments, const CommandOptions& options)
    : out_(options.out.empty() ? temporary_file() : options.out), error_(temporary_file()) {
#ifdef RZ_COMMAND
  std::vector<std::string> words{RZ_COMMAND};
#else
  std::vector<std::string> words{"/rezero was not built"};
#endif
  words.insert(words.end(), arguments.begin(), arguments.end());
  process_ = fork();
  if (process_ == 0) become(words, options, out_, error_);
}

Process::~Process() {
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, &status_, 0);
  }
  if (!out_.starts_with("/dev/")) unlink(out_.c_str());
  unlink(error_.c_str());
}

void Process::signal(int number) const {
  if (process_ > 0) kill(process_, number);
}

bool Process::running() {
  if (process_ > 0 && waitpid(process_, &status_, WNOHANG) == process_) process_ = -1;
  return process_ > 0;
}

CommandResult Process::wait() {
  if (process_ > 0) waitpid(process_, &status_, 0);
  process_ = -1;
  CommandResult result;
  result.exit_code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  if (!out_.starts_with("/dev/")) result.out = contents(out_);
  result.error = contents(error_);
  return result;
}

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

CommandResult run_command(const std::vector<std::string>& arguments, const CommandOptions& options) {
  return Process(arguments, options).wait();
}

Comparison one_line_error(const CommandResult& result) {
  const bool holds = result.out.empty() && result.error.starts_with("rezero: ") &&
                     std::ranges::count(result.error, '\n') == 1 && result.error.ends_with('\n');
  return {holds, "output: " + result.out + "\nerror: " + result.error};
}

void check_refused(const std::vector<std::string>& arguments, int exit_code, const std::vector<std::string>& parts,
                   const CommandOptions& options) {
  const CommandResult result = run_command(arguments, options);
  std::string line = "rezero";
  for (const std::string& argument : arguments) line += " " + argument;
  CAPTURE(line);
  CAPTURE(result.error);
  CHECK(result.exit_code == exit_code);
  CHECK(one_line_error(result));
  CHECK(mentions(result.error, parts));
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_file(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

}  // namespace rz::test
