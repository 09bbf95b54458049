// Shape: the extents of a dense row-major array, up to 6 of them, held inline.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

namespace rz {

class Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;  // rank 0: a scalar, one element
  Shape(std::initializer_list<std::int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const std::int64_t>
                     extents);  // Throws: shape (more than 6 extents, a negative one, 2^60 elements or more)

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)]; }
  std::int64_t elements() const {
    std::int64_t n = 1;
    for (int axis = 0; axis < rank_; ++axis) n *= extents_[static_cast<std::size_t>(axis)];
    return n;
  }
  // The last extent (1 for a scalar), and the number of rows when all others are flattened into one.
  std::int64_t columns() const { return rank_ == 0 ? 1 : (*this)[rank_ - 1]; }
  std::int64_t rows() const;

  Shape with(int axis, std::int64_t extent) const;  // the same with one extent replaced; axis < 0 counts from the end
  Shape without(int axis) const;                    // the same with one extent removed
  Shape prepended(std::int64_t extent) const;       // [extent, *this].   Throws: shape (rank 6 already)
  Shape from(int axis) const;                       // the extents from `axis` on
  std::span<const std::int64_t> extents() const { return {extents_.data(), static_cast<std::size_t>(rank_)}; }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int axis = 0; axis < a.rank_; ++axis)
      if (a[axis] != b[axis]) return false;
    return true;
  }

 private:
  std::array<std::int64_t, max_rank> extents_{};
  int rank_ = 0;
};

}  // namespace rz
