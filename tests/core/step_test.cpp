#include "core/step.h"

#include <doctest/doctest.h>

#include <vector>

#include "core/linalg.h"
#include "core/ops.h"
#include "support/close.h"

using namespace rz;
using namespace rz::test;

TEST_SUITE("core/step") {
  TEST_CASE("step: runs again and again, and counts the operations of a run") {
    const Tensor x = Tensor::full({3}, 1, DType::f64);
    Step step;
    for (int run = 0; run < 3; ++run) {
      step.run([&] {
        CHECK(inside_step());
        ops::scale(2, x, {x});
        ops::sum(x);
      });
      CHECK(!inside_step());
    }
    CHECK(step.operations() == 2);
    CHECK(close(x, {8, 8, 8}, 0));
  }

  TEST_CASE("step: reading a value on the host throws, says what, and leaves the step usable") {
    const Tensor x = Tensor::full({1, 1}, 1, DType::f64);
    Step step;
    double value = 0;
    for (auto read :
         {+[](const Tensor& t, double& v) { v = t.item(); }, +[](const Tensor& t, double& v) { v = t.to_vector()[0]; },
          +[](const Tensor& t, double& v) { t.to_host(&v); }, +[](const Tensor& t, double& v) { v = svdvals(t)[0]; }}) {
      CHECK(mentions(message_of(ErrorCode::value, [&] { step.run([&] { read(x, value); }); }),
                     {"step", "inside a step"}));
      CHECK(!inside_step());
      CHECK_NOTHROW(read(x, value));
    }
    StepState state;
    CHECK(mentions(message_of(ErrorCode::value, [&] { step.run([&] { state.set(1, 0.1); }); }), {"state"}));
    CHECK_NOTHROW(step.run([&] { ops::scale(2, x); }));
  }

  TEST_CASE("step: a run that differs from the first throws and names the operation") {
    const Tensor x = Tensor::full({4, 3}, 1);
    Step step;
    step.run([&] {
      ops::scale(2, x);
      ops::sum(x);
    });
    CHECK(mentions(message_of(ErrorCode::value, [&] { step.run([&] { ops::scale(2, x.rows(0, 2)); }); }),
                   {"scale", "[2, 3]", "scale", "[4, 3]"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { step.run([&] { ops::add(x, x); }); }), {"add", "scale"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { step.run([&] { ops::scale(2, x); }); }), {"1", "2"}));
    const auto longer = [&] {
      ops::scale(2, x);
      ops::sum(x);
      ops::scale(3, x);
    };
    CHECK(mentions(message_of(ErrorCode::value, [&] { step.run(longer); }), {"scale", "[4, 3]", "2"}));
    CHECK_NOTHROW(step.run([&] {
      ops::scale(2, x);
      ops::sum(x);
    }));
  }

  TEST_CASE("step: no step inside another") {
    Step outer, inner;
    CHECK(mentions(message_of(ErrorCode::value, [&] { outer.run([&] { inner.run([] {}); }); }),
                   {"step", "inside another"}));
    CHECK(!inside_step());
  }

  TEST_CASE("step: the state holds what changes from run to run") {
    StepState state;
    CHECK(state.get(state_gradient_scale) == 1);
    state.set(7, 0.125);
    CHECK(state.get(state_step) == 7);
    CHECK(state.get(state_rate) == 0.125);
    CHECK(state.tensor().shape() == Shape{state_slots});
  }
}
