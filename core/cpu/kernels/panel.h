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

}  // namespace
}  // namespace rz::cpu
