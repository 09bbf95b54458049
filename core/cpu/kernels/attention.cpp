// What stands between the products of attention: a lane per query, so that maxima, sums and exponentials need nothing
// of their neighbours. Keys that are not seen have the score -inf; the largest score starts at the lowest finite
// number, so that a query that sees no key gets weights 0 without a branch. Limit: one exp per score.
#include "core/cpu/kernels/panel.h"
#include "core/cpu/kernels/variant.h"
#include "core/elementary.h"

#if defined(__AVX2__)
namespace rz::cpu {
namespace {

template <class T>
void hide(void* scores, std::int64_t row, std::int64_t keys, std::int64_t diagonal) {
  T* s = static_cast<T*>(scores);
  for (std::int64_t j = diagonal < 0 ? 0 : diagonal + 1; j < keys; ++j) {
    const std::int64_t hidden = j - diagonal < width<T> ? j - diagonal : width<T>;
    for (std::int64_t l = 0; l < hidden; ++l) s[j * row + l] = -static_cast<T>(__builtin_huge_val());
  }
}

template <class T>
T larger(T a, T b) {
  return a > b ? a : b;
}

// Eight keys at a time: the lanes' maxima are in memory.
template <class T>
void raise(T* largest, const T* s, std::int64_t keys) {
  constexpr int w = width<T>;
  std::int64_t j = 0;
  for (; j + 8 <= keys; j += 8, s += 8 * w) {
    for (int l = 0; l < w; ++l) {
      const T a = larger(larger(s[l], s[w + l]), larger(s[2 * w + l], s[3 * w + l]));
      const T b = larger(larger(s[4 * w + l], s[5 * w + l]), larger(s[6 * w + l], s[7 * w + l]));
      largest[l] = larger(largest[l], larger(a, b));
    }
  }
  for (; j < keys; ++j, s += w) {
    for (int l = 0; l < w; ++l) largest[l] = larger(largest[l], s[l]);
  }
}

template <class T>
void softmax(const AttentionSoftmaxBlock& block) {
  constexpr int w = width<T>;
  T *s = static_cast<T*>(block.scores), *y = static_cast<T*>(block.y);
  T *kept_largest = static_cast<T*>(block.largest), *kept_sum = static_cast<T*>(block.sum);
  alignas(64) T largest[w], factor[w], sum[w];
  for (int l = 0; l < w; ++l) largest[l] = kept_largest[l];
  raise(largest, s, block.keys);
  for (int l = 0; l < w; ++l) {
    factor[l] = math::exp(kept_largest[l] - largest[l]);
    kept_largest[l] = largest[l];
    sum[l] = kept_sum[l] * factor[l];
  }
  for (std::int64_t j = 0; j < block.keys; ++j, s += w) {
    RZ_INDEPENDENT
    for (int l = 0; l < w; ++l) {
      s[l] = math::exp(s[l] - largest[l]);
      sum[l] += s[l];
    }
  }
  for (int l = 0; l < w; ++l) kept_sum[l] = sum[l];
  for (std::int64_t i = 0; i < block.head; ++i, y += w) {
    RZ_INDEPENDENT
    for (int l = 0; l < w; ++l) y[l] *= factor[l];
  }
}

template <class T>
void finish(const AttentionSoftmaxBlock& block, void* log_sum_exp) {
  constexpr int w = width<T>;
  const T *largest = static_cast<const T*>(block.largest), *sums = static_cast<const T*>(block.sum);
  T *y = static_cast<T*>(block.y), *result = static_cast<T*>(log_sum_exp);
  alignas(64) T factor[w];
  RZ_INDEPENDENT
  for (int l = 0; l < w; ++l) {
    const T sum = larger(sums[l], T(1));  // the largest score's share is 1; the sum is 0 where no key is seen
    factor[l] = T(1) / sum;
    result[l] = largest[l] + math::log(sum);
  }
  for (std::int64_t i = 0; i < block.head; ++i, y += w) {
    RZ_INDEPENDENT
    for (int l = 0; l < w; ++l) y[l] *= factor[l];
  }
}

template <class T>
void weights(void* scores, std::int64_t row, std::int64_t keys, const void* log_sum_exp) {
  constexpr int w = width<T>;
  T* s = static_cast<T*>(scores);
  const T* shift = static_cast<const T*>(log_sum_exp);
  for (std::int64_t j = 0; j < keys; ++j, s += row) {
    RZ_INDEPENDENT
    for (int l = 0; l < w; ++l) s[l] = math::exp(s[l] - shift[l]);
  }
}

template <class T>
void vjp(const AttentionVjpBlock& block) {
  constexpr int w = width<T>;
  T *p = static_cast<T*>(block.weights), *d_p = static_cast<T*>(block.d_weights);
  const T* dots = static_cast<const T*>(block.dots);
  const T scale = static_cast<T>(block.scale);
  for (std::int64_t j = 0; j < block.keys; ++j, p += block.row, d_p += w) {
    RZ_INDEPENDENT
    for (int l = 0; l < w; ++l) {
      const T d_s = scale * p[l] * (d_p[l] - dots[l]);
      p[l] = d_s;
      d_p[l] = d_s;
    }
  }
}

}  // namespace

namespace RZ_ISA {
constinit const AttentionKernels attention_kernels = {
    .hide = {hide<float>, hide<double>},
    .softmax = {softmax<float>, softmax<double>},
    .finish = {finish<float>, finish<double>},
    .weights = {weights<float>, weights<double>},
    .vjp = {vjp<float>, vjp<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
#else
namespace rz::cpu::RZ_ISA {
constinit const AttentionKernels attention_kernels = {};  // as gemm's
}  // namespace rz::cpu::RZ_ISA
#endif
