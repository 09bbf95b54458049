#include "core/random.h"

#include <cmath>
#include <vector>

#include "core/error.h"

namespace rz {
namespace {

// One Philox block: counter {block low, high, stream low, high}, key {seed low, high}; its four words are two draws of
// 64 bits.
std::array<std::uint64_t, 2> draws_of_block(std::uint64_t seed, std::uint64_t stream, std::uint64_t block) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
  std::uint32_t c[4] = {low(block), high(block), low(stream), high(stream)};
  philox(c, low(seed), high(seed));
  return {c[0] | std::uint64_t{c[1]} << 32, c[2] | std::uint64_t{c[3]} << 32};
}

double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

}  // namespace

std::uint64_t Random::bits() {
  const std::uint64_t position = position_++;
  return draws_of_block(seed_, stream_, position >> 1)[position & 1];
}

double Random::uniform() { return unit(bits()); }

// Two draws make one value and the second one of Box and Muller's pair is dropped, so that a position says all about
// the state.
double Random::normal() {
  std::array<std::uint64_t, 2> draws;
  if (position_ & 1) {
    draws[0] = bits();
    draws[1] = bits();
  } else {
    draws = draws_of_block(seed_, stream_, position_ >> 1);
    position_ += 2;
  }
  const double radius = std::sqrt(-2 * std::log(unit(draws[0]) + 0x1p-53));  // the logarithm of (0, 1]: never infinite
  return radius * std::cos(2 * 3.14159265358979323846 * unit(draws[1]));
}

// Draws below 2^64 mod n are rejected: what is left is a whole number of ranges of n.
std::uint64_t Random::below(std::uint64_t n) {
  RZ_CHECK(value, n > 0, "random: a number below 0 was asked for, but there is none");
  const std::uint64_t rejected = (0 - n) % n;
  std::uint64_t draw = bits();
  while (draw < rejected) draw = bits();
  return draw % n;
}

std::uint64_t stream_named(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

Tensor normal_tensor(const Shape& shape, Random& random, DType dtype, Device device) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (double& value : values) value = random.normal();
  return Tensor::of(shape, values, dtype, device);
}

Tensor uniform_tensor(const Shape& shape, Random& random, double low, double high, DType dtype, Device device) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (double& value : values) value = random.uniform(low, high);
  return Tensor::of(shape, values, dtype, device);
}

}  // namespace rz
