// Scalar functions over arrays: value, derivatives, vjp, and the epilogue of a product (bias and activation in one pass
// over a block that is hot). Limit: memory for the piecewise linear ones, arithmetic for the others, but for sin and
// cos, which are the C library's.
#include "core/cpu/kernels/variant.h"
#include "core/scalar_functions.h"

namespace rz::cpu {
namespace {

template <class F, int order, class T>
[[gnu::always_inline]] inline T evaluate_order(T x, T p) {
  if constexpr (order == 0) return F::value(x, p);
  if constexpr (order == 1) return F::derivative(F::uses_output ? F::value(x, p) : x, p);
  if constexpr (order == 2) return F::second_derivative(x, p);
}

template <class F, int order, class T>
void value(const void* x_data, void* y_data, std::int64_t n, double parameter, bool accumulate) {
  const T* x = static_cast<const T*>(x_data);
  T* y = static_cast<T*>(y_data);
  const T p = static_cast<T>(parameter);
  if (accumulate) {
    RZ_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) y[i] += evaluate_order<F, order>(x[i], p);
  } else {
    RZ_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) y[i] = evaluate_order<F, order>(x[i], p);
  }
}

template <class F, class T>
void vjp(const void* kept_data, const void* d_y_data, void* d_x_data, std::int64_t n, double parameter,
         bool accumulate) {
  const T* kept = static_cast<const T*>(kept_data);
  const T* d_y = static_cast<const T*>(d_y_data);
  T* d_x = static_cast<T*>(d_x_data);
  const T p = static_cast<T>(parameter);
  if (accumulate) {
    RZ_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) d_x[i] += F::derivative(kept[i], p) * d_y[i];
  } else {
    RZ_INDEPENDENT
    for (std::int64_t i = 0; i < n; ++i) d_x[i] = F::derivative(kept[i], p) * d_y[i];
  }
}

template <class F, class T>
void epilogue(void* y_data, std::int64_t rows, std::int64_t columns, std::int64_t stride, const void* bias_data,
              double parameter) {
  const T* bias = static_cast<const T*>(bias_data);
  const T p = static_cast<T>(parameter);
  for (std::int64_t r = 0; r < rows; ++r) {
    T* y = static_cast<T*>(y_data) + r * stride;
    if (bias) {
      RZ_INDEPENDENT
      for (std::int64_t c = 0; c < columns; ++c) y[c] = F::value(y[c] + bias[c], p);
    } else {
      RZ_INDEPENDENT
      for (std::int64_t c = 0; c < columns; ++c) y[c] = F::value(y[c], p);
    }
  }
}

}  // namespace

namespace RZ_ISA {
constinit const ScalarKernel scalar_kernels[] = {
#define RZ_VALUE(type, order) {value<scalars::type, order, float>, value<scalars::type, order, double>}
#define RZ_KERNEL(name, type)                                          \
  {.value = {RZ_VALUE(type, 0), RZ_VALUE(type, 1), RZ_VALUE(type, 2)}, \
   .vjp = {vjp<scalars::type, float>, vjp<scalars::type, double>},     \
   .epilogue = {epilogue<scalars::type, float>, epilogue<scalars::type, double>}},
    RZ_SCALAR_FUNCTIONS(RZ_KERNEL)
#undef RZ_KERNEL
#undef RZ_VALUE
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
