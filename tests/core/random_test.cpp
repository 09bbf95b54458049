#include "core/random.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <vector>

#include "support/close.h"

using namespace rz;
using rz::test::close;
using rz::test::identical;

namespace {

using Words = std::array<std::uint32_t, 4>;

Words philox_of(Words counter, std::uint32_t key0, std::uint32_t key1) {
  philox(counter.data(), key0, key1);
  return counter;
}

// Mean of f over draws of `random`, in units of its standard error from the expected mean.
template <class F>
double deviations(Random random, double mean, double variance, F&& f) {
  const int count = 200000;
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += f(random) - mean;
  return sum / count / std::sqrt(variance / count);
}

}  // namespace

TEST_SUITE("core/random") {
  TEST_CASE("random: Philox gives the known answers of its authors") {
    CHECK(philox_of({0, 0, 0, 0}, 0, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    const std::uint32_t ones = 0xffffffff;
    CHECK(philox_of({ones, ones, ones, ones}, ones, ones) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(philox_of({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
          Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
  }

  TEST_CASE("random: a draw is half a block of counter {block, stream} under the key {seed}") {
    Random zero(0, 0);
    CHECK(zero.bits() == 0xe169c58d6627e8d5);
    CHECK(zero.bits() == 0x9b00dbd8bc57ac4c);
    Random random(0x299f31d0a4093822, 0x0370734413198a2e);
    random.seek(2 * 0x05a308d3243f6a88 + 1);
    const Words words = philox_of({0x243f6a88, 0x05a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0);
    CHECK(random.bits() == (words[2] | std::uint64_t{words[3]} << 32));
  }

  TEST_CASE("random: a position is all of the state") {
    Random random(7, 3);
    std::vector<std::uint64_t> positions;
    std::vector<double> first, again;
    for (int i = 0; i < 30; ++i) {
      positions.push_back(random.position());
      if (i % 3 == 0)
        first.push_back(random.uniform());
      else if (i % 3 == 1)
        first.push_back(random.normal());  // from even and from odd positions
      else
        first.push_back(static_cast<double>(random.below(1000)));
    }
    for (int i = 29; i >= 0; --i) {
      random.seek(positions[static_cast<std::size_t>(i)]);
      if (i % 3 == 0)
        again.insert(again.begin(), random.uniform());
      else if (i % 3 == 1)
        again.insert(again.begin(), random.normal());
      else
        again.insert(again.begin(), static_cast<double>(random.below(1000)));
    }
    CHECK(close(again, first, 0));
  }

  TEST_CASE("random: a normal value is Box and Muller's cosine of two uniforms, wherever it starts") {
    for (std::uint64_t start : {0u, 1u, 10u, 11u}) {
      Random random(1, 2), uniforms(1, 2);
      random.seek(start);
      uniforms.seek(start);
      const double u = uniforms.uniform(), v = uniforms.uniform();
      CHECK(close(random.normal(), std::sqrt(-2 * std::log(u + 0x1p-53)) * std::cos(2 * std::acos(-1.0) * v), 1e-15));
      CHECK(random.position() == start + 2);
    }
  }

  TEST_CASE("random: moments are within 4 standard errors") {
    const Random random(2020, stream_named("moments"));
    const auto power = [](double x, int n) { return std::pow(x, n); };
    CHECK(std::abs(deviations(random, 0.5, 1.0 / 12, [](Random& r) { return r.uniform(); })) < 4);
    CHECK(std::abs(deviations(random, 1.0 / 3, 4.0 / 45, [&](Random& r) { return power(r.uniform(), 2); })) < 4);
    CHECK(std::abs(deviations(random, 1, 1.0 / 3, [](Random& r) { return r.uniform(0, 2); })) < 4);
    const double variances[] = {1, 2, 15, 96}, means[] = {0, 1, 0, 3};  // of x, x^2, x^3, x^4
    for (int n = 1; n <= 4; ++n) {
      INFO(n);
      CHECK(std::abs(deviations(random, means[n - 1], variances[n - 1],
                                [&](Random& r) { return power(r.normal(), n); })) < 4);
    }
    // neighbours, and a tail
    CHECK(std::abs(deviations(random, 0, 1, [](Random& r) {
            const double x = r.normal();
            return x * r.normal();
          })) < 4);
    const double tail = std::erfc(3 / std::sqrt(2.0));
    CHECK(std::abs(deviations(random, tail, tail * (1 - tail),
                              [](Random& r) { return std::abs(r.normal()) > 3 ? 1.0 : 0.0; })) < 4);
  }

  TEST_CASE("random: streams and seeds are independent") {
    const Random random(1, 1);
    for (Random other : {Random(1, 2), Random(2, 1), Random(1, 1ULL << 32 | 1), Random(1ULL << 32 | 1, 1)}) {
      CHECK(std::abs(deviations(random, 0, 1, [&](Random& r) { return r.normal() * other.normal(); })) < 4);
    }
    Random a(1, 1), b(1, 2);
    CHECK(a.bits() != b.bits());
  }

  TEST_CASE("random: below has no bias") {
    const Random random(5, 5);
    std::vector<int> counts(10);
    const double deviation = deviations(random, 4.5, 8.25, [&](Random& r) {
      const std::uint64_t draw = r.below(10);
      ++counts.at(draw);
      return static_cast<double>(draw);
    });
    CHECK(std::abs(deviation) < 4);
    double chi_square = 0;
    for (int count : counts) chi_square += (count - 20000) * (count - 20000) / 20000.0;
    CHECK(chi_square < 9 + 4 * std::sqrt(18.0));
    // A plain remainder would give the lowest third of this range half of the draws.
    const std::uint64_t n = std::uint64_t{3} << 62;
    CHECK(std::abs(deviations(random, 1.0 / 3, 2.0 / 9, [&](Random& r) { return r.below(n) < n / 3 ? 1.0 : 0.0; })) <
          4);
    Random one(5, 5);
    CHECK(one.below(1) == 0);
    CHECK(test::mentions(test::message_of(ErrorCode::value, [&] { one.below(0); }), {"random"}));
  }

  TEST_CASE("random: streams are named by FNV-1a") {
    CHECK(stream_named("") == 0xcbf29ce484222325);
    CHECK(stream_named("a") == 0xaf63dc4c8601ec8c);
    CHECK(stream_named("foobar") == 0x85944171f73967e8);
  }

  TEST_CASE("random: tensors are drawn in f64 and rounded") {
    Random random(3, 4), wide_random(3, 4), values(3, 4);
    const Tensor single = normal_tensor({7, 3}, random, DType::f32), wide = normal_tensor({7, 3}, wide_random);
    std::vector<double> drawn;
    for (int i = 0; i < 21; ++i) drawn.push_back(values.normal());
    CHECK(close(wide, drawn, 0));
    CHECK(identical(single, wide.to(DType::f32)));
    CHECK(random.position() == 42);

    const Tensor uniform = uniform_tensor({1000}, random, -2, 3);
    for (double x : uniform.to_vector()) REQUIRE((x >= -2 && x < 3));
    CHECK(random.position() == 1042);
    CHECK(normal_tensor({0, 3}, random).elements() == 0);
  }
}
