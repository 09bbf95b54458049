// Attention of a single query without masks, as text that is written token by token needs it: two products with a
// vector, where a block of queries would leave all lanes but one empty.
#include <algorithm>
#include <cmath>

#include "core/cpu/attention.h"
#include "core/cpu/gemm.h"

namespace rz::cpu {
namespace {

template <class T>
T largest_of(const T* x, std::int64_t n) {
  T largest = x[0];
  for (std::int64_t i = 1; i < n; ++i) largest = std::max(largest, x[i]);
  return largest;
}

// x /= its sum, which is returned.
template <class T>
double normalise(T* x, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  const T scale = static_cast<T>(1 / sum);
  for (std::int64_t i = 0; i < n; ++i) x[i] *= scale;
  return sum;
}

}  // namespace

bool HeadAttention::is_single_query() const {
  return queries_ == 1 && keys_ > 0 && !a_.mask.data && !a_.key_mask.data && !dropout();
}

// Of `keys_` numbers and padding. The exponential is the kernel's for panels: here a lane is a key.
template <class T>
void HeadAttention::softmax_in_place(void* weights, char* scratch, T& log_sum_exp) const {
  T* const x = static_cast<T*>(weights);
  T* const largest = static_cast<T*>(take(scratch, lanes_));
  const std::int64_t rows = ceil_div(keys_, lanes_);
  std::fill_n(largest, lanes_, largest_of(x, keys_));
  std::fill(x + keys_, x + rows * lanes_, *largest);
  k_.attention->weights[real_](x, lanes_, rows, largest);
  log_sum_exp = *largest + static_cast<T>(std::log(normalise(x, keys_)));
}

void HeadAttention::forward_single(std::int64_t head, char* scratch, const Target& y, const Target& log_sum_exp) const {
  const HeadRows q = rows_of(a_.q, head), k = rows_of(a_.k, head), v = rows_of(a_.v, head);
  const HeadRows out = rows_of(HeadsTarget{y, 0}, head);
  void* const weights = take(scratch, ceil_div(keys_, lanes_) * lanes_);
  cpu::multiply({type_, Transpose::no, Transpose::yes, 1, keys_, head_, q.data, k.data, weights, q.row, k.row, keys_,
                 a_.options.scale, false},
                {0, 1, 0, keys_});
  if (type_ == DType::f32) {
    softmax_in_place<float>(weights, scratch, static_cast<float*>(log_sum_exp.data)[head]);
  } else {
    softmax_in_place<double>(weights, scratch, static_cast<double*>(log_sum_exp.data)[head]);
  }
  cpu::multiply({type_, Transpose::no, Transpose::no, 1, head_, keys_, weights, v.data, out.data, keys_, v.row, out.row,
                 1, y.accumulate},
                {0, 1, 0, head_});
}

}  // namespace rz::cpu
