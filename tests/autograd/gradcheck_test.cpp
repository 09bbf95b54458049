#include "autograd/gradcheck.h"

#include <doctest/doctest.h>

#include <limits>

#include "autograd/ops.h"
#include "autograd/record.h"
#include "core/ops.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

// y = 2 x with factors that may be wrong in either rule, and a value that may curve.
Functional twice(double vjp, double jvp) {
  return [=](std::span<const Variable> x) {
    return record(
        "scale", {x[0]}, ops::scale(2, x[0].value()),
        [vjp](const Tensor& d_y, Gradients& d) {
          if (d.wanted(0)) ops::scale(vjp, d_y, d.destination(0));
        },
        [jvp](const Primals&, const Tangents& t) { return scale(jvp, t[0]); });
  };
}

GradcheckReport check(const Functional& f, const GradcheckOptions& options = {}) {
  const Tensor inputs[] = {normal_input({2, 2}, "x")};
  return gradcheck(f, inputs, options);
}

}  // namespace

TEST_SUITE("autograd/gradcheck") {
  TEST_CASE("gradcheck: f32 is refused") {
    const Tensor inputs[] = {normal_input({2}, "a"), normal_input({2}, "b", DType::f32)};
    CHECK(mentions(message_of(ErrorCode::dtype, [&] { gradcheck([](auto x) { return add(x[0], x[1]); }, inputs); }),
                   {"gradcheck", "[2]", "f32", "f64"}));
  }

  TEST_CASE("gradcheck: right rules pass, and a planted wrong one is found and named") {
    CHECK(check(twice(2, 2)).passed);
    CHECK(check(twice(2, 2)).worst < 1e-9);
    const GradcheckReport vjp = check(twice(2.0001, 2)), jvp = check(twice(2, 1.9999));
    CHECK_FALSE(vjp.passed);
    CHECK(vjp.worst > 1e-5);
    CHECK(mentions(vjp.message, {"vjp: input 0, element", "2.0001"}));
    CHECK_FALSE(jvp.passed);
    CHECK(mentions(jvp.message, {"jvp: input 0, element", "1.9999"}));
  }

  TEST_CASE("gradcheck: rules too close for differences to tell apart fail the dot test") {
    const GradcheckReport report = check(twice(2 + 1e-9, 2));
    CHECK_FALSE(report.passed);
    CHECK(mentions(report.message, {"<u, J v>"}));
  }

  TEST_CASE("gradcheck: a NaN does not pass, nor does a rule that gives nothing") {
    CHECK_FALSE(check(twice(std::numeric_limits<double>::quiet_NaN(), 2)).passed);
    CHECK_FALSE(check([](std::span<const Variable> x) {
                  return record(
                      "scale", {x[0]}, ops::scale(2, x[0].value()), [](const Tensor&, Gradients&) {},
                      [](const Primals&, const Tangents&) { return Variable(); });
                }).passed);
  }

  TEST_CASE("gradcheck: a wrong second derivative is found on request alone") {
    // x^2 whose tangent rule uses a detached x: right to first order.
    const Functional f = [](std::span<const Variable> x) {
      return record(
          "scalar", {x[0]}, ops::multiply(x[0].value(), x[0].value()),
          [x = x[0].value()](const Tensor& d_y, Gradients& d) {
            if (d.wanted(0)) ops::binary(Binary::multiply, ops::scale(2, x), d_y, d.destination(0));
          },
          [](const Primals& p, const Tangents& t) { return scale(2, multiply(p[0].detached(), t[0])); });
    };
    CHECK(check(f).passed);
    const GradcheckReport report = check(f, {.second_order = true});
    CHECK_FALSE(report.passed);
    CHECK(mentions(report.message, {"reverse over forward: input 0"}));
  }
}
