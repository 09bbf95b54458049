// Squares of vectors are transposed in registers: for kernel files alone. V is one of GCC's vector types.
#pragma once

#include <utility>

#include "core/isa.h"

namespace rz::cpu {
RZ_ISA_BEGIN

template <class V>
constexpr int numbers_of = int{sizeof(V) / sizeof(V{}[0])};

// One step of the transposition of a square of vectors: exchanges what stands `step` off the diagonal.
template <int step, bool upper, class V, int... lane>
void exchange(const V& a, const V& b, V& result, std::integer_sequence<int, lane...>) {
  constexpr int n = numbers_of<V>;
  // a's lanes whose bit `step` is 0 stay in the first result, b's come beside them; the second takes the others.
  if constexpr (upper) {
    result = __builtin_shufflevector(a, b, ((lane & step) ? n + lane : lane + step)...);
  } else {
    result = __builtin_shufflevector(a, b, ((lane & step) ? n + lane - step : lane)...);
  }
}
template <int step, class V>
void butterflies(V* rows) {
  constexpr std::make_integer_sequence<int, numbers_of<V>> all;
#pragma GCC unroll 16
  for (int i = 0; i < numbers_of<V>; ++i) {
    if (i & step) continue;
    const V a = rows[i], b = rows[i + step];
    exchange<step, false>(a, b, rows[i], all);
    exchange<step, true>(a, b, rows[i + step], all);
  }
}
template <class V>
void transpose(V* rows) {
  if constexpr (numbers_of<V> >= 16) butterflies<8>(rows);
  if constexpr (numbers_of<V> >= 8) butterflies<4>(rows);
  butterflies<2>(rows);
  butterflies<1>(rows);
}

RZ_ISA_END
}  // namespace rz::cpu
