#include "support/python.h"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>

namespace rz::test {

ShellResult shell(const std::string& command) {
  ShellResult result;
  FILE* const pipe = popen(("{ " + command + "\n} 2>&1 </dev/null").c_str(), "r");
  if (!pipe) return result;
  char buffer[4096];
  for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    result.output.append(buffer, count);
  const int status = pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string python_with(const std::string& modules) {
  const char* const given = std::getenv("REZERO_TEST_PYTHON");
  const std::string python = given && *given ? given : "python3";
  if (shell("'" + python + "' -c 'import " + modules + "'").exit_code == 0) return python;
  MESSAGE("skipped: " << python << " cannot import " << modules << " (REZERO_TEST_PYTHON names another)");
  return "";
}

}  // namespace rz::test
