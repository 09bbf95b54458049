// The README's example is the program that the install test compiles and runs.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace {
std::string file(const std::string& path) {
  std::ifstream stream(std::string(RZ_TEST_SOURCE_DIR) + "/" + path);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}
}  // namespace

TEST_SUITE("core/readme") {
  TEST_CASE("the example in the README is tests/install/main.cpp") {
    const std::string example = file("install/main.cpp");
    REQUIRE(!example.empty());
    CHECK(file("../README.md").find("```cpp\n" + example + "```") != std::string::npos);
  }
}
