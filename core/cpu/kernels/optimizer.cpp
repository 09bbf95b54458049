// Optimiser updates, one pass over flat memory: gradient, value and slot are read, value and slot written. Limit:
// memory (20 bytes per f32 parameter); division and root stay below it.
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

// g = scale grad + decay value;  m = momentum m + g;  value -= rate m, or rate (g + momentum m) with Nesterov's
// momentum.
template <bool nesterov, class T>
void sgd_momentum(const UpdateBlock& u) {
  const T* gradient = static_cast<const T*>(u.gradient);
  T* value = static_cast<T*>(u.value);
  T* momentum = static_cast<T*>(u.slot);
  const T rate = static_cast<T>(u.rate), scale = static_cast<T>(u.gradient_scale),
          decay = static_cast<T>(u.weight_decay);
  const T factor = static_cast<T>(u.momentum);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < u.n; ++i) {
    const T g = scale * gradient[i] + decay * value[i];
    const T m = factor * momentum[i] + g;
    momentum[i] = m;
    value[i] -= rate * (nesterov ? g + factor * m : m);
  }
}

template <class T>
void sgd_plain(const UpdateBlock& u) {
  const T* gradient = static_cast<const T*>(u.gradient);
  T* value = static_cast<T*>(u.value);
  const T rate = static_cast<T>(u.rate), scale = static_cast<T>(u.gradient_scale),
          decay = static_cast<T>(u.weight_decay);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < u.n; ++i) value[i] -= rate * (scale * gradient[i] + decay * value[i]);
}

template <class T>
void sgd(const UpdateBlock& u) {
  if (!u.slot) return sgd_plain<T>(u);
  return u.nesterov ? sgd_momentum<true, T>(u) : sgd_momentum<false, T>(u);
}

// g = scale grad + decay value;  sum += g^2;  value -= rate g / (sqrt(sum) + eps). Where the divisor is 0 (g and eps
// are) the value stays.
template <class T>
void adagrad(const UpdateBlock& u) {
  const T* gradient = static_cast<const T*>(u.gradient);
  T* value = static_cast<T*>(u.value);
  T* sum = static_cast<T*>(u.slot);
  const T rate = static_cast<T>(u.rate), scale = static_cast<T>(u.gradient_scale),
          decay = static_cast<T>(u.weight_decay);
  const T eps = static_cast<T>(u.eps);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < u.n; ++i) {
    const T g = scale * gradient[i] + decay * value[i];
    const T s = sum[i] + g * g;
    T root;
    if constexpr (sizeof(T) == sizeof(float)) {
      root = __builtin_sqrtf(s);
    } else {
      root = __builtin_sqrt(s);
    }
    const T divisor = root + eps;
    const T step = rate * g / (divisor == T(0) ? T(1) : divisor);
    sum[i] = s;
    value[i] -= divisor == T(0) ? T(0) : step;
  }
}

}  // namespace

namespace RZ_ISA {
constinit const OptimizerKernels optimizer_kernels = {
    .sgd = {sgd<float>, sgd<double>},
    .adagrad = {adagrad<float>, adagrad<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
