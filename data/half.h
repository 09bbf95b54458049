// Half precision (IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction), which files hold and we widen.
#pragma once

#include <bit>
#include <cstdint>

namespace rz {

// Exact: every half is a float. NaN keeps its bits.
inline float float_of_half(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16, exponent = half >> 10 & 0x1Fu;
  const std::uint32_t fraction = half & 0x3FFu;
  if (exponent == 0) {  // zero, or a denormal half: fraction 2^-24
    const float size = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -size : size;
  }
  const std::uint32_t wide = exponent == 0x1F ? 0xFFu : exponent + 127 - 15;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

}  // namespace rz
