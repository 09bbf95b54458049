// Other programs that a test uses where they are there: Python with some modules, unzip.
#pragma once

#include <string>

namespace rz::test {

struct ShellResult {
  int exit_code = -1;
  std::string output;  // of both streams
};
ShellResult shell(const std::string& command);

// $REZERO_TEST_PYTHON, else python3, if it can import the modules ("torch, numpy"); else "", and the test's output says
// that it is skipped.
std::string python_with(const std::string& modules);

}  // namespace rz::test
