#include "nn/init.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/linalg.h"
#include "support/close.h"
#include "support/inputs.h"

namespace {
using namespace rz;
using namespace rz::test;

Tensor draw(const Initializer& initializer, const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  Random random(seed(), stream_named("init_test"));
  initializer(values, random);
  return Tensor::of(shape, values);
}
}  // namespace

TEST_SUITE("nn/init") {
  TEST_CASE("variances are those of the definitions, within 4 standard errors") {
    const std::int64_t out = 300, in = 200;
    const double n = static_cast<double>(out * in);
    const auto check = [&](const char* name, std::optional<double> gain, double variance, bool is_normal) {
      const std::vector<double> w = draw(nn::init::named(name, {out, in}, gain), {out, in}).to_vector();
      double sum = 0, squares = 0, largest = 0;
      for (const double x : w) sum += x, squares += x * x, largest = std::fmax(largest, std::fabs(x));
      CAPTURE(name);
      CHECK(std::fabs(sum / n) < 4 * std::sqrt(variance / n));
      CHECK(std::fabs(squares / n / variance - 1) < 4 * std::sqrt((is_normal ? 2 : 0.8) / n));
      if (!is_normal) CHECK(largest <= std::sqrt(3 * variance));
    };
    check("kaiming_normal", {}, 2.0 / in, true);
    check("kaiming_uniform", {}, 2.0 / in, false);
    check("xavier_normal", std::sqrt(2.0), 4.0 / (in + out), true);
    check("xavier_uniform", {}, 2.0 / (in + out), false);
    check("lecun_normal", 1.5, 2.25 / in, true);
    check("lecun_uniform", {}, 1.0 / in, false);
  }

  TEST_CASE("orthogonal: all singular values are the gain, tall and wide, and the distribution is Haar's") {
    for (const Shape& shape : {Shape{40, 40}, Shape{60, 25}, Shape{25, 60}, Shape{1, 7}}) {
      const std::vector<double> sigma = svdvals(draw(nn::init::named("orthogonal", shape, 1.25), shape));
      CHECK(close(sigma, std::vector<double>(sigma.size(), 1.25), 1e-13));
    }
    // Without the signs of R's diagonal the trace would not have mean 0 and variance 1.
    double sum = 0, squares = 0;
    const int draws = 400;
    std::vector<double> values(64);
    Random random(seed(), stream_named("haar"));
    const Initializer orthogonal = nn::init::named("orthogonal", {8, 8});
    for (int k = 0; k < draws; ++k) {
      orthogonal(values, random);
      double trace = 0;
      for (std::size_t i = 0; i < 8; ++i) trace += values[9 * i];
      sum += trace, squares += trace * trace;
    }
    CHECK(std::fabs(sum / draws) < 4 / std::sqrt(draws));
    CHECK(std::fabs(squares / draws - 1) < 4 * std::sqrt(2.0 / draws));
  }

  TEST_CASE("identity, constant, values") {
    CHECK(close(draw(nn::init::named("identity", {2, 3}), {2, 3}), {1, 0, 0, 0, 1, 0}, 0));
    CHECK(close(draw(nn::init::constant(3), {2}), {3, 3}, 0));
    message_of(ErrorCode::shape, [] { draw(nn::init::values({1, 2, 3}), {2}); });
  }

  TEST_CASE("an unknown name gets the nearest one") {
    CHECK(mentions(message_of(ErrorCode::value, [] { nn::init::named("kaiming_norml", {2, 2}); }),
                   {"kaiming_norml", "did you mean 'kaiming_normal'?"}));
    message_of(ErrorCode::shape, [] { nn::init::named("orthogonal", {2, 2, 2}); });
  }
}
