#include "core/shape.h"

#include <doctest/doctest.h>

#include <vector>

#include "support/close.h"

using namespace rz;
using namespace rz::test;

TEST_SUITE("core/shape") {
  TEST_CASE("shape: extents, rows and columns") {
    const Shape shape{2, 3, 4};
    CHECK(shape.rank() == 3);
    CHECK(shape.elements() == 24);
    CHECK(shape.rows() == 6);
    CHECK(shape.columns() == 4);
    CHECK(shape[-1] == 4);
    CHECK(text(shape) == "[2, 3, 4]");
    const Shape scalar;
    CHECK(scalar.elements() == 1);
    CHECK(scalar.rows() == 1);
    CHECK(scalar.columns() == 1);
    CHECK(text(scalar) == "[]");
    CHECK(Shape{0, 3}.elements() == 0);
  }

  TEST_CASE("shape: derived shapes") {
    const Shape shape{2, 3, 4};
    CHECK(shape.with(1, 7) == Shape{2, 7, 4});
    CHECK(shape.with(-1, 7) == Shape{2, 3, 7});
    CHECK(shape.without(1) == Shape{2, 4});
    CHECK(shape.without(-1) == Shape{2, 3});
    CHECK(shape.prepended(9) == Shape{9, 2, 3, 4});
    CHECK(shape.from(1) == Shape{3, 4});
    CHECK(shape.from(3) == Shape{});
    CHECK(!(shape == Shape{2, 3}));
    CHECK(!(shape == Shape{2, 3, 5}));
  }

  TEST_CASE("shape: more elements than can be counted are refused") {
    const std::int64_t large = std::int64_t{1} << 40;
    CHECK(mentions(message_of(ErrorCode::shape, [&] { Shape{large, large}; }), {"[1099511627776, 1099511627776]"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { Shape{std::int64_t{1} << 60}; }), {"more elements"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { Shape{large}.prepended(large); }), {"more elements"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { Shape{large, 2}.with(1, large); }), {"more elements"}));
    CHECK(mentions(message_of(ErrorCode::shape, [&] { Shape{large, 0, large}; }), {"more elements"}));
    CHECK(Shape{large, 0}.elements() == 0);
  }

  TEST_CASE("shape: too many and negative extents are refused") {
    CHECK(mentions(message_of(ErrorCode::shape, [] { Shape{1, 1, 1, 1, 1, 1, 1}; }), {"7 axes", "at most 6"}));
    CHECK(mentions(message_of(ErrorCode::shape, [] { Shape{2, -3}; }), {"-3", "negative"}));
    CHECK(mentions(message_of(ErrorCode::shape, [] { Shape{1, 1, 1, 1, 1, 1}.prepended(2); }),
                   {"[1, 1, 1, 1, 1, 1]", "6"}));
  }
}
