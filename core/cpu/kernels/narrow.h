// 64 bytes of elements in their own type, for kernel files alone: sums of a row at the speed of its loads, which f64
// lanes (lanes.h) halve for f32. A lane adds some 16 terms before it goes on to f64, so a sum is as good as
// its terms are. The order of additions does not depend on the instruction set.
#pragma once

#include "core/cpu/kernels/lanes.h"

namespace rz::cpu {
namespace {

template <class T>
struct Narrow {
  using Part [[gnu::vector_size(64 / registers)]] = T;
  static constexpr std::int64_t count = 64 / sizeof(T);
  Part part[registers];
};

template <class T>
inline Narrow<T> all_of(T x) {
  Narrow<T> v;
  for (auto& part : v.part) part = typename Narrow<T>::Part{} + x;
  return v;
}
template <class T>
inline Narrow<T>& operator+=(Narrow<T>& a, const Narrow<T>& b) {
  for (int r = 0; r < registers; ++r) a.part[r] += b.part[r];
  return a;
}
template <class T>
inline Narrow<T> operator-(const Narrow<T>& a, const Narrow<T>& b) {
  Narrow<T> v;
  for (int r = 0; r < registers; ++r) v.part[r] = a.part[r] - b.part[r];
  return v;
}
template <class T>
inline Narrow<T> operator*(const Narrow<T>& a, const Narrow<T>& b) {
  Narrow<T> v;
  for (int r = 0; r < registers; ++r) v.part[r] = a.part[r] * b.part[r];
  return v;
}

// How terms read their arrays: all elements from p, or the first `present` and zeros for the rest.
struct ReadAll {
  template <class T>
  Narrow<T> operator()(const T* p) const {
    Narrow<T> v;
    for (int r = 0; r < registers; ++r)
      __builtin_memcpy(&v.part[r], p + r * Narrow<T>::count / registers, sizeof v.part[r]);
    return v;
  }
  template <class T>
  void clear_rest(Narrow<T>&) const {}
};
struct ReadSome {
  std::int64_t present;
  template <class T>
  Narrow<T> operator()(const T* p) const {
    Narrow<T> v{};
    __builtin_memcpy(&v, p, static_cast<std::size_t>(present) * sizeof(T));
    return v;
  }
  template <class T>
  void clear_rest(Narrow<T>& v) const {  // what is not there counts nothing, though it may not be 0 after a subtraction
    v = (*this)(reinterpret_cast<const T*>(&v));
  }
};

inline double sum_of(const Narrow<double>& v) {
  double s[8];
  __builtin_memcpy(s, &v, sizeof s);
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}
inline double sum_of(const Narrow<float>& v) {
  float s[16];
  __builtin_memcpy(s, &v, sizeof s);
  Wide halves = load(s);
  halves += load(s + lanes);
  Narrow<double> all;
  __builtin_memcpy(&all, &halves, sizeof all);
  return sum_of(all);
}

// Sum of terms over i < n. term(read, i) gives those from i on; it reads its arrays by read(p + i).
template <class T, class Term>
inline double sum_narrow(std::int64_t n, const Term& term) {
  constexpr std::int64_t count = Narrow<T>::count;
  double sum = 0;
  std::int64_t i = 0;
  do {
    const std::int64_t left = n - i, end = left > 64 * count ? i + 64 * count : n;
    Narrow<T> sums[4] = {};
    for (; i + 4 * count <= end; i += 4 * count)
      for (int k = 0; k < 4; ++k) sums[k] += term(ReadAll{}, i + k * count);
    for (; i + count <= end; i += count) sums[0] += term(ReadAll{}, i);
    if (i < end) sums[1] += term(ReadSome{end - i}, i);
    sums[0] += sums[1];
    sums[2] += sums[3];
    sums[0] += sums[2];
    sum += sum_of(sums[0]);
    i = end;
  } while (i < n);
  return sum;
}

}  // namespace
}  // namespace rz::cpu
