#include "core/trace.h"

#include <doctest/doctest.h>

#include <string>

#include "core/ops.h"
#include "support/close.h"

using namespace rz;
using namespace rz::test;

TEST_SUITE("core/trace") {
  TEST_CASE("trace: lists operations with bytes and FLOPs") {
    const Tensor a = Tensor::zeros({4, 5}), b = Tensor::zeros({5, 6});
    const Trace trace;
    const Tensor c = ops::gemm(Transpose::no, a, Transpose::no, b);
    ops::scale(2, c);
    REQUIRE(trace.operations().size() == 2);
    CHECK(std::string(trace.operations()[0].name) == "gemm");
    CHECK(trace.operations()[0].result == Shape{4, 6});
    CHECK(trace.operations()[0].flops == 2 * 4 * 5 * 6);
    CHECK(trace.operations()[0].bytes == 4 * (4 * 5 + 5 * 6 + 4 * 6));
    CHECK(trace.flops() == 240 + 24);
    CHECK(trace.bytes() == 296 + 192);
  }

  TEST_CASE("trace: nothing is listed after it, and there is one at a time") {
    {
      const Trace trace;
      CHECK(mentions(message_of(ErrorCode::value, [] { const Trace second; }), {"trace"}));
      ops::scale(2, Tensor::zeros({3}));
      CHECK(trace.operations().size() == 1);
    }
    ops::scale(2, Tensor::zeros({3}));
    const Trace trace;
    CHECK(trace.operations().empty());
  }
}
