// Window: what slides over images [n, height, width, channels]. Positions beyond the border count as 0. Arrays of two
// are for rows and for columns.
#pragma once

#include <array>
#include <cstdint>

#include "core/shape.h"

namespace rz {

struct Window {
  std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, padding{0, 0};

  std::int64_t size() const { return kernel[0] * kernel[1]; }  // positions in it
  // Places at which it stands along a side of so many pixels.
  std::int64_t places(std::size_t side, std::int64_t extent) const {
    return (extent + 2 * padding[side] - kernel[side]) / stride[side] + 1;
  }
  // [n, height, width, channels] -> [n, places, places, channels]
  Shape places(const Shape& x) const { return {x[0], places(0, x[1]), places(1, x[2]), x[3]}; }
};

}  // namespace rz
