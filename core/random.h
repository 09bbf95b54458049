// Random numbers: counter-based Philox 4x32-10 (Salmon et al. 2011), keyed by (seed, stream, index): the same whatever
// the threads, the device and the order of the draws.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/isa.h"
#include "core/tensor.h"

namespace rz {

RZ_ISA_BEGIN
// Ten rounds on a 128-bit counter with a 64-bit key.
RZ_HOST_DEVICE inline void philox(std::uint32_t counter[4], std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter[0], p1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    const std::uint32_t c0 = static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key0,
                        c2 = static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key1;
    counter[1] = static_cast<std::uint32_t>(p1);
    counter[3] = static_cast<std::uint32_t>(p0);
    counter[0] = c0;
    counter[2] = c2;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}
RZ_ISA_END

// A stream of host-side draws: value i is a function of (seed, stream, i). Copyable; position() and seek() save and
// restore it.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  std::uint64_t bits();  // 64 random bits
  double uniform();      // [0, 1), multiples of 2^-53
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal();                       // N(0, 1), Box-Muller in f64
  std::uint64_t below(std::uint64_t n);  // 0 ... n - 1 without bias.   n > 0

  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) { position_ = position; }

 private:
  std::uint64_t seed_, stream_;
  std::uint64_t position_ = 0;
};

// A stream's number from its name, so that streams need no registry: FNV-1a of the text.
std::uint64_t stream_named(std::string_view name);

Tensor normal_tensor(const Shape& shape, Random& random, DType dtype = DType::f64,
                     Device device = {});  // N(0, 1), drawn in f64 on the host, rounded
Tensor uniform_tensor(const Shape& shape, Random& random, double low, double high, DType dtype = DType::f64,
                      Device device = {});

}  // namespace rz
