#include "core/error.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "support/close.h"

using namespace rz;
using namespace rz::test;

TEST_SUITE("core/error") {
  TEST_CASE("error: a check formats shapes, numbers, dtypes and text") {
    const Shape x{128, 256}, weight{512, 255};
    const std::string owned = "a string";
    const std::string message = message_of(ErrorCode::shape, [&] {
      RZ_CHECK(shape, x[1] == weight[1], "linear: x {} needs as many columns as weight {} has; {} {} {} {} {}", x,
               weight, 3, 0.5, DType::bf16, "literal", owned);
    });
    CHECK(message ==
          "linear: x [128, 256] needs as many columns as weight [512, 255] has; 3 0.5 bf16 literal a string");
    CHECK_NOTHROW(RZ_CHECK(shape, true, "never {}", x));
  }

  TEST_CASE("error: braces in a given text are not placeholders") {
    CHECK(message_of(ErrorCode::file, [] { RZ_FAIL(file, "file: '{}' is missing", "{}{0}{"); }) ==
          "file: '{}{0}{' is missing");
  }

  TEST_CASE("error: carries its code and its place, and is a std::exception") {
    try {
      RZ_FAIL(memory, "memory: {} bytes", std::size_t{1} << 40);
    } catch (const std::exception& exception) {
      CHECK(std::string(exception.what()) == "memory: 1099511627776 bytes");
      const Error* error = dynamic_cast<const Error*>(&exception);
      REQUIRE(error);
      CHECK(error->code() == ErrorCode::memory);
      CHECK(std::strstr(error->source_file(), "error_test.cpp"));
      CHECK(error->source_line() > 0);
    }
  }

  TEST_CASE("error: an assertion quotes its condition") {
    CHECK(mentions(message_of(ErrorCode::internal, [] { RZ_ASSERT(1 + 1 == 3); }), {"internal", "1 + 1 == 3"}));
  }

  TEST_CASE("error: dtypes have names and sizes") {
    CHECK(name(DType::bf16) == "bf16");
    CHECK(size_of(DType::bf16) == 2);
    CHECK(name(dtype_of<std::uint8_t>()) == "u8");
    CHECK(is_real(DType::f32));
    CHECK(!is_real(DType::bf16));
  }
}
