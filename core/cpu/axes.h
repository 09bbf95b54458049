// The axes of an operation over several arrays with strides of their own (0 repeats): axes of extent 1 are dropped, and
// neighbours that all arrays walk as one are merged, so most operations end with one or two axes. Axis 0 is the
// innermost.
#pragma once

#include <array>
#include <cstdint>

#include "core/shape.h"

namespace rz::cpu {

template <std::size_t arrays>
class Axes {
 public:
  using Offsets = std::array<std::int64_t, arrays>;

  // The next axis outwards.
  void add(std::int64_t extent, const Offsets& strides) {
    if (extent == 0) empty_ = true;
    if (extent == 1) return;
    if (rank_ > 0 && continues(strides)) {
      extents_[rank_ - 1] *= extent;
      return;
    }
    extents_[rank_] = extent;
    strides_[rank_++] = strides;
  }

  bool empty() const { return empty_; }
  std::int64_t extent(std::size_t axis) const { return axis < rank_ ? extents_[axis] : 1; }
  std::int64_t stride(std::size_t axis, std::size_t array) const { return axis < rank_ ? strides_[axis][array] : 0; }
  std::size_t rank() const { return rank_; }

  // Takes an axis out, for the caller to walk.
  void remove(std::size_t axis) {
    if (axis >= rank_) return;
    for (std::size_t k = axis; k + 1 < rank_; ++k) {
      extents_[k] = extents_[k + 1];
      strides_[k] = strides_[k + 1];
    }
    --rank_;
  }

  std::int64_t count() const {  // of indices
    std::int64_t n = empty_ ? 0 : 1;
    for (std::size_t k = 0; k < rank_; ++k) n *= extents_[k];
    return n;
  }

  // f(offsets of the arrays) for the indices [first, last) in row-major order.
  template <class F>
  void walk(std::int64_t first, std::int64_t last, F&& f) const {
    std::array<std::int64_t, Shape::max_rank> index{};
    Offsets offsets{};
    std::int64_t rest = first;
    for (std::size_t k = 0; k < rank_; ++k) {
      index[k] = rest % extents_[k];
      rest /= extents_[k];
      for (std::size_t a = 0; a < arrays; ++a) offsets[a] += index[k] * strides_[k][a];
    }
    for (std::int64_t i = first; i < last; ++i) {
      f(offsets);
      for (std::size_t k = 0; k < rank_; ++k) {
        for (std::size_t a = 0; a < arrays; ++a) offsets[a] += strides_[k][a];
        if (++index[k] < extents_[k]) break;
        for (std::size_t a = 0; a < arrays; ++a) offsets[a] -= extents_[k] * strides_[k][a];
        index[k] = 0;
      }
    }
  }

 private:
  bool continues(const Offsets& strides) const {
    for (std::size_t a = 0; a < arrays; ++a) {
      if (strides[a] != strides_[rank_ - 1][a] * extents_[rank_ - 1]) return false;
    }
    return true;
  }

  std::size_t rank_ = 0;
  bool empty_ = false;
  std::array<std::int64_t, Shape::max_rank> extents_{};
  std::array<Offsets, Shape::max_rank> strides_{};
};

}  // namespace rz::cpu
