// Eight f64 lanes, for kernel files alone: as many registers as the instruction set needs for them. There are eight in
// every variant, so the order of additions does not depend on the instruction set.
#pragma once

#include <cstdint>

namespace rz::cpu {
namespace {

constexpr std::int64_t lanes = 8;
#if defined(__AVX512F__)
constexpr int registers = 1;
#elif defined(__AVX__)
constexpr int registers = 2;
#else
constexpr int registers = 4;
#endif
using Register = double __attribute__((vector_size(64 / registers)));
using RegisterOfFloats = float __attribute__((vector_size(32 / registers)));  // as many numbers

struct Wide {
  Register part[registers];
};

inline Wide all(double x) {
  Wide v;
  for (Register& part : v.part) part = Register{} + x;
  return v;
}
inline Wide& operator+=(Wide& a, const Wide& b) {
  for (int r = 0; r < registers; ++r) a.part[r] += b.part[r];
  return a;
}
inline Wide operator-(const Wide& a, const Wide& b) {
  Wide v;
  for (int r = 0; r < registers; ++r) v.part[r] = a.part[r] - b.part[r];
  return v;
}
inline Wide operator*(const Wide& a, const Wide& b) {
  Wide v;
  for (int r = 0; r < registers; ++r) v.part[r] = a.part[r] * b.part[r];
  return v;
}

// Eight elements from p.
inline Wide load(const double* p) {
  Wide v;
  for (int r = 0; r < registers; ++r) __builtin_memcpy(&v.part[r], p + r * lanes / registers, sizeof(Register));
  return v;
}
inline Wide load(const float* p) {
  Wide v;
  for (int r = 0; r < registers; ++r) {
    RegisterOfFloats part;
    __builtin_memcpy(&part, p + r * lanes / registers, sizeof part);
    v.part[r] = __builtin_convertvector(part, Register);
  }
  return v;
}

inline void store(const Wide& v, double* p) {
  for (int r = 0; r < registers; ++r) __builtin_memcpy(p + r * lanes / registers, &v.part[r], sizeof(Register));
}

// How sum_lanes reads its arrays: eight elements from p, or the first `count` and zeros for the rest.
struct LoadAll {
  template <class T>
  Wide operator()(const T* p) const {
    return load(p);
  }
  void clear_rest(Wide&) const {}
};
struct LoadSome {
  std::int64_t count;
  template <class T>
  Wide operator()(const T* p) const {
    double elements[lanes] = {};
    for (std::int64_t k = 0; k < count; ++k) elements[k] = static_cast<double>(p[k]);
    return load(elements);
  }
  void clear_rest(Wide& v) const {  // what is not there counts nothing, though it may not be 0 after a subtraction
    double elements[lanes];
    store(v, elements);
    for (std::int64_t k = count; k < lanes; ++k) elements[k] = 0;
    v = load(elements);
  }
};

// Sum of terms over i < n. term(read, i) gives the eight from i on; it reads its arrays by read(p + i).
template <class Term>
inline double sum_lanes(std::int64_t n, const Term& term) {
  Wide sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (int k = 0; k < 4; ++k) sums[k] += term(LoadAll{}, i + k * lanes);
  }
  for (; i + lanes <= n; i += lanes) sums[0] += term(LoadAll{}, i);
  if (i < n) sums[1] += term(LoadSome{n - i}, i);
  sums[0] += sums[1];
  sums[2] += sums[3];
  sums[0] += sums[2];
  double s[lanes];
  store(sums[0], s);
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

}  // namespace
}  // namespace rz::cpu
