// Panels of packed matrices, for kernel files alone: two vectors wide, where the instruction set has fused
// multiply-add.
#pragma once

namespace rz::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int bytes_of_vector = 64;
#else
constexpr int bytes_of_vector = 32;
#endif
template <class T>
constexpr int lanes = bytes_of_vector / int{sizeof(T)};
template <class T>
constexpr int width = 2 * lanes<T>;

template <class T>
struct Vectors;  // GCC ignores vector_size on a type that depends on a template's parameter
template <>
struct Vectors<float> {
  using Vector = float __attribute__((vector_size(bytes_of_vector)));
};
template <>
struct Vectors<double> {
  using Vector = double __attribute__((vector_size(bytes_of_vector)));
};
template <class T>
using Vector = typename Vectors<T>::Vector;
template <class T>
Vector<T> load_vector(const T* p) {
  Vector<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
void store_vector(const Vector<T>& v, T* p) {
  __builtin_memcpy(p, &v, sizeof v);
}

}  // namespace
}  // namespace rz::cpu
