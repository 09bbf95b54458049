// The generator of matrices in tests/reference: testvectors.json describes it.
#pragma once

#include <cstdint>
#include <vector>

namespace rz::test {

class Lcg {
 public:
  explicit Lcg(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return state_ = 6364136223846793005u * state_ + 1442695040888963407u; }
  // Uniform on [-scale, scale).
  std::vector<double> draw(std::int64_t n, double scale) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < n; ++i)
      values.push_back((2 * (static_cast<double>(next() >> 11) * 0x1p-53) - 1) * scale);
    return values;
  }

 private:
  std::uint64_t state_;
};

}  // namespace rz::test
