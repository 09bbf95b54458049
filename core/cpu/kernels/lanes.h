// Sums in eight f64 lanes, for kernel files alone. The lanes are the same in every variant (the compiler splits them
// where registers are narrower), so the order of additions does not depend on the instruction set. Vectors go by
// reference: their calling convention does depend on it.
#pragma once

#include <cstdint>

namespace rz::cpu {
namespace {

constexpr std::int64_t lanes = 8;
using Wide = double __attribute__((vector_size(64)));
using WideHalf = float __attribute__((vector_size(32)));

// Eight elements from p.
struct LoadAll {
  void operator()(const double* p, Wide& v) const { __builtin_memcpy(&v, p, sizeof v); }
  void operator()(const float* p, Wide& v) const {
    WideHalf half;
    __builtin_memcpy(&half, p, sizeof half);
    v = __builtin_convertvector(half, Wide);
  }
};
// The first `count` elements from p, zeros for the rest.
struct LoadSome {
  std::int64_t count;
  template <class T>
  void operator()(const T* p, Wide& v) const {
    v = Wide{};
    for (std::int64_t k = 0; k < count; ++k) v[k] = static_cast<double>(p[k]);
  }
};

inline void store(const Wide& v, double* p) { __builtin_memcpy(p, &v, sizeof v); }
inline void store(const Wide& v, float* p) {
  const WideHalf half = __builtin_convertvector(v, WideHalf);
  __builtin_memcpy(p, &half, sizeof half);
}

inline double sum_of(const Wide& v) { return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])); }

// Sum of term(i) over i < n. term(load, i, sum) adds the eight terms from i on to the lanes of sum; it reads its arrays
// by load(p + i, v).
template <class Term>
inline double sum_lanes(std::int64_t n, const Term& term) {
  Wide sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (int k = 0; k < 4; ++k) term(LoadAll{}, i + k * lanes, sums[k]);
  }
  for (; i + lanes <= n; i += lanes) term(LoadAll{}, i, sums[0]);
  if (i < n) term(LoadSome{n - i}, i, sums[1]);
  sums[0] += sums[1];
  sums[2] += sums[3];
  sums[0] += sums[2];
  return sum_of(sums[0]);
}

}  // namespace
}  // namespace rz::cpu
