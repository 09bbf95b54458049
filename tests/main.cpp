// The main function of every test program. REZERO_TEST_SEED=n changes the seed of the random tests.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace rz::test {

// For tests that draw their inputs:  namespace rz::test { std::uint64_t seed(); }
std::uint64_t seed() {
  static const std::uint64_t value = [] {
    const char* text = std::getenv("REZERO_TEST_SEED");
    return text ? std::strtoull(text, nullptr, 10) : 2020ULL;
  }();
  return value;
}

}  // namespace rz::test

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  context.setOption("case-sensitive", true);
  if (argc <= 1 || argv[1][0] != '-' || argv[1][1] != '-' || argv[1][2] != 'l') {  // not when listing
    std::printf("seed %llu\n", static_cast<unsigned long long>(rz::test::seed()));
  }
  return context.run();
}
