// Attention of a single query without masks, as text that is written token by token needs it: two products with a
// vector, where a block of queries would leave all lanes but one empty.
#include <cmath>

#include "core/cpu/attention.h"
#include "core/cpu/gemm.h"
#include "core/elementary.h"

namespace rz::cpu {
namespace {

// x = softmax(x); returns log-sum-exp of what it was.
template <class T>
double softmax_in_place(T* x, std::int64_t n) {
  T largest = x[0];
  for (std::int64_t i = 1; i < n; ++i) largest = std::max(largest, x[i]);
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) x[i] = math::exp(x[i] - largest);
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  const T scale = static_cast<T>(1 / sum);
  for (std::int64_t i = 0; i < n; ++i) x[i] *= scale;
  return static_cast<double>(largest) + std::log(sum);
}

}  // namespace

bool HeadAttention::is_single_query() const {
  return queries_ == 1 && keys_ > 0 && !a_.mask.data && !a_.key_mask.data && !dropout();
}

void HeadAttention::forward_single(std::int64_t head, char* scratch, const Target& y, const Target& log_sum_exp) const {
  const HeadRows q = rows_of(a_.q, head), k = rows_of(a_.k, head), v = rows_of(a_.v, head);
  const HeadRows out = rows_of(HeadsTarget{y, 0}, head);
  void* const weights = scratch;
  cpu::multiply({type_, Transpose::no, Transpose::yes, 1, keys_, head_, q.data, k.data, weights, q.row, k.row, keys_,
                 a_.options.scale, false},
                {0, 1, 0, keys_});
  if (type_ == DType::f32) {
    static_cast<float*>(log_sum_exp.data)[head] =
        static_cast<float>(softmax_in_place(static_cast<float*>(weights), keys_));
  } else {
    static_cast<double*>(log_sum_exp.data)[head] = softmax_in_place(static_cast<double*>(weights), keys_);
  }
  cpu::multiply({type_, Transpose::no, Transpose::no, 1, head_, keys_, weights, v.data, out.data, keys_, v.row, out.row,
                 1, y.accumulate},
                {0, 1, 0, head_});
}

}  // namespace rz::cpu
