// Optimiser updates, one pass over flat memory: gradient, value and slots are read, value and slots written. Limit:
// memory (20 bytes per f32 parameter with one slot, 28 with two); division and root stay below it. Where a divisor is 0
// (no gradient yet and eps = 0) the value stays.
#include "core/cpu/kernels/variant.h"

namespace rz::cpu {
namespace {

inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }

// numerator / divisor, 0 where the divisor is. Two choices and no branch, so that the loop is vectorised.
template <class T>
inline T quotient(T numerator, T divisor) {
  const T q = numerator / (divisor == T(0) ? T(1) : divisor);
  return divisor == T(0) ? T(0) : q;
}

// The block's members in the parameters' type.
template <class T>
struct Block {
  explicit Block(const UpdateBlock& u)
      : gradient(static_cast<const T*>(u.gradient)),
        value(static_cast<T*>(u.value)),
        slot(static_cast<T*>(u.slot)),
        second(static_cast<T*>(u.second)),
        direction(static_cast<T*>(u.direction)),
        n(u.n),
        rate(static_cast<T>(u.rate)),
        scale(static_cast<T>(u.gradient_scale)),
        decay(static_cast<T>(u.weight_decay)),
        momentum(static_cast<T>(u.momentum)),
        beta1(static_cast<T>(u.beta1)),
        beta2(static_cast<T>(u.beta2)),
        rest1(static_cast<T>(1 - u.beta1)),
        rest2(static_cast<T>(1 - u.beta2)),
        eps(static_cast<T>(u.eps)),
        mean_correction(static_cast<T>(u.mean_correction)),
        square_correction(static_cast<T>(u.square_correction)),
        factor(static_cast<T>(u.factor)) {}
  const T* gradient;
  T *value, *slot, *second, *direction;
  std::int64_t n;
  T rate, scale, decay, momentum, beta1, beta2, rest1, rest2, eps, mean_correction, square_correction, factor;
};

// g = scale grad + decay value;  m = momentum m + g;  value -= rate m, or rate (g + momentum m) with Nesterov's
// momentum.
template <bool nesterov, class T>
void sgd_momentum(const UpdateBlock& u) {
  const Block<T> b(u);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < b.n; ++i) {
    const T g = b.scale * b.gradient[i] + b.decay * b.value[i];
    const T m = b.momentum * b.slot[i] + g;
    b.slot[i] = m;
    b.value[i] -= b.rate * (nesterov ? g + b.momentum * m : m);
  }
}

template <class T>
void sgd_plain(const UpdateBlock& u) {
  const Block<T> b(u);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < b.n; ++i) b.value[i] -= b.rate * (b.scale * b.gradient[i] + b.decay * b.value[i]);
}

template <class T>
void sgd(const UpdateBlock& u) {
  if (!u.slot) return sgd_plain<T>(u);
  return u.nesterov ? sgd_momentum<true, T>(u) : sgd_momentum<false, T>(u);
}

// g = scale grad + decay value;  s += g^2;  value -= rate g / (sqrt(s) + eps)
template <class T>
void adagrad(const UpdateBlock& u) {
  const Block<T> b(u);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < b.n; ++i) {
    const T g = b.scale * b.gradient[i] + b.decay * b.value[i];
    const T s = b.slot[i] + g * g;
    b.slot[i] = s;
    b.value[i] -= quotient(b.rate * g, root(s) + b.eps);
  }
}

// g = scale grad + decay value;  s = beta2 s + (1 - beta2) g^2;  d = g / (sqrt(s) + eps);  m = momentum m + d;
// value -= rate m, or rate d. s is the second slot, m the first.
template <bool with_momentum, class T>
void rmsprop_of(const UpdateBlock& u) {
  const Block<T> b(u);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < b.n; ++i) {
    const T g = b.scale * b.gradient[i] + b.decay * b.value[i];
    const T s = b.beta2 * b.second[i] + b.rest2 * g * g;
    b.second[i] = s;
    T d = quotient(g, root(s) + b.eps);
    if constexpr (with_momentum) {
      d += b.momentum * b.slot[i];
      b.slot[i] = d;
    }
    b.value[i] -= b.rate * d;
  }
}

template <class T>
void rmsprop(const UpdateBlock& u) {
  return u.slot ? rmsprop_of<true, T>(u) : rmsprop_of<false, T>(u);
}

// Adam's moments in place, and m' / (sqrt(v') + eps) of element i from its gradient g.
template <class T>
inline T adam_direction(const Block<T>& b, std::int64_t i, T g) {
  const T m = b.beta1 * b.slot[i] + b.rest1 * g;
  const T v = b.beta2 * b.second[i] + b.rest2 * g * g;
  b.slot[i] = m;
  b.second[i] = v;
  return quotient(b.mean_correction * m, root(b.square_correction * v) + b.eps);
}

template <bool decoupled, class T>
void adam_of(const UpdateBlock& u) {
  const Block<T> b(u);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < b.n; ++i) {
    const T value = b.value[i], pull = b.decay * value;
    const T direction = adam_direction(b, i, decoupled ? b.scale * b.gradient[i] : b.scale * b.gradient[i] + pull);
    b.value[i] = value - b.rate * (decoupled ? direction + pull : direction);
  }
}

template <class T>
void adam(const UpdateBlock& u) {
  return u.decoupled ? adam_of<true, T>(u) : adam_of<false, T>(u);
}

// direction = m' / (sqrt(v') + eps) + decay value, with Adam's moments; the value stays.
template <class T>
void lamb_direction(const UpdateBlock& u) {
  const Block<T> b(u);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < b.n; ++i)
    b.direction[i] = adam_direction(b, i, b.scale * b.gradient[i]) + b.decay * b.value[i];
}

// c = beta1 m + (1 - beta1) g with g = scale grad;  value -= rate (sign(c) + decay value);  m = beta2 m + (1 - beta2) g
template <class T>
void lion(const UpdateBlock& u) {
  const Block<T> b(u);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < b.n; ++i) {
    const T g = b.scale * b.gradient[i], m = b.slot[i], value = b.value[i];
    const T c = b.beta1 * m + b.rest1 * g;
    const T sign = (c > T(0) ? T(1) : T(0)) - (c < T(0) ? T(1) : T(0));
    b.slot[i] = b.beta2 * m + b.rest2 * g;
    b.value[i] = value - b.rate * (sign + b.decay * value);
  }
}

// m = momentum m + g with g = scale grad;  direction = m, or g + momentum m with Nesterov's momentum
template <class T>
void momentum_direction(const UpdateBlock& u) {
  const Block<T> b(u);
  const T own = u.nesterov ? T(1) : T(0), of_momentum = u.nesterov ? b.momentum : T(1);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < b.n; ++i) {
    const T g = b.scale * b.gradient[i];
    const T m = b.momentum * b.slot[i] + g;
    b.slot[i] = m;
    b.direction[i] = own * g + of_momentum * m;
  }
}

// value -= rate (factor direction + decay value)
template <class T>
void descend(const UpdateBlock& u) {
  const Block<T> b(u);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < b.n; ++i) b.value[i] -= b.rate * (b.factor * b.direction[i] + b.decay * b.value[i]);
}

// average += (1 - decay) (value - average): an average that equals the value stays, and the gaps stay 0.
template <class T>
void moving_average(const void* value_data, void* average_data, std::int64_t n, double decay) {
  const T* value = static_cast<const T*>(value_data);
  T* average = static_cast<T*>(average_data);
  const T rest = static_cast<T>(1 - decay);
  RZ_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) average[i] += rest * (value[i] - average[i]);
}

}  // namespace

namespace RZ_ISA {
constinit const OptimizerKernels optimizer_kernels = {
    .sgd = {sgd<float>, sgd<double>},
    .adagrad = {adagrad<float>, adagrad<double>},
    .rmsprop = {rmsprop<float>, rmsprop<double>},
    .adam = {adam<float>, adam<double>},
    .lamb_direction = {lamb_direction<float>, lamb_direction<double>},
    .lion = {lion<float>, lion<double>},
    .momentum_direction = {momentum_direction<float>, momentum_direction<double>},
    .descend = {descend<float>, descend<double>},
    .moving_average = {moving_average<float>, moving_average<double>},
};
}  // namespace RZ_ISA
}  // namespace rz::cpu
