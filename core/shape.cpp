#include "core/shape.h"

#include "core/error.h"

namespace rz {

namespace {
// Bytes of the widest dtype, of any part of the axes, must be countable in 63 bits.
void check_size(const Shape& shape) {
  std::int64_t elements = 1;
  bool countable = true;
  for (const std::int64_t extent : shape.extents()) {
    if (extent != 0) countable = countable && !__builtin_mul_overflow(elements, extent, &elements);
  }
  RZ_CHECK(shape, countable && elements < std::int64_t{1} << 60, "shape: {} has more elements than any memory holds",
           shape);
}
}  // namespace

Shape::Shape(std::span<const std::int64_t> extents) {
  RZ_CHECK(shape, extents.size() <= max_rank, "shape: {} axes were given, but a tensor has at most {}", extents.size(),
           max_rank);
  for (const std::int64_t extent : extents) {
    RZ_CHECK(shape, extent >= 0, "shape: an extent of {} was given, but extents cannot be negative", extent);
    extents_[static_cast<std::size_t>(rank_++)] = extent;
  }
  check_size(*this);
}

std::int64_t Shape::rows() const {
  std::int64_t n = 1;
  for (int axis = 0; axis + 1 < rank_; ++axis) n *= (*this)[axis];
  return n;
}

Shape Shape::with(int axis, std::int64_t extent) const {
  Shape changed = *this;
  changed.extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)] = extent;
  check_size(changed);
  return changed;
}

Shape Shape::without(int axis) const {
  if (axis < 0) axis += rank_;
  Shape shorter;
  for (int k = 0; k < rank_; ++k)
    if (k != axis) shorter.extents_[static_cast<std::size_t>(shorter.rank_++)] = (*this)[k];
  return shorter;
}

Shape Shape::prepended(std::int64_t extent) const {
  RZ_CHECK(shape, rank_ < max_rank, "shape: {} cannot get another leading axis: a tensor has at most {}", *this,
           max_rank);
  Shape longer;
  longer.extents_[0] = extent;
  for (int k = 0; k < rank_; ++k) longer.extents_[static_cast<std::size_t>(k) + 1] = (*this)[k];
  longer.rank_ = rank_ + 1;
  check_size(longer);
  return longer;
}

Shape Shape::from(int axis) const { return Shape(extents().subspan(static_cast<std::size_t>(axis))); }

}  // namespace rz
