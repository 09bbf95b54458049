// The address sanitizer finds an overrun by one element of a tensor, because in its builds each tensor is an allocation
// of its own: a child process plants one.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/tensor.h"
#include "support/sanitizers.h"

using namespace rz;

namespace {

template <class T>
int status_of_write(std::int64_t elements, std::int64_t at) {
  const Tensor x = Tensor::zeros({elements}, dtype_of<T>());
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int silent = open("/dev/null", O_WRONLY);
    dup2(silent, STDERR_FILENO);
    volatile T* data = x.data<T>();
    data[at] = T(1);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

template <class T>
void check_overrun(std::int64_t elements) {
  CAPTURE(elements);
  CHECK(status_of_write<T>(elements, elements - 1) == 0);
  if (RZ_ADDRESS_SANITIZER) {
    CHECK(status_of_write<T>(elements, elements) != 0);
    CHECK(status_of_write<T>(elements, -1) != 0);
  }
}

}  // namespace

TEST_SUITE("core/memory") {
  TEST_CASE("overrun: a write one element past a tensor ends the program, in builds with the address sanitizer") {
    for (const std::int64_t elements : {1, 7, 16, 1000, 1 << 20}) {
      check_overrun<float>(elements);
      check_overrun<double>(elements);
      check_overrun<std::uint8_t>(elements);
    }
  }
}
