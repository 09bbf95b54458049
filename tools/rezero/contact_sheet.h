// A picture of a data set's first images: a row per class (of the first 10), up to 10 training examples in each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace rz::tool {

struct Picture {
  std::int64_t width = 0, height = 0;
  std::vector<std::uint8_t> pixels;  // [height, width, 3]: red, green, blue
};

// Whether the examples are images of 1 or 3 channels.
bool is_drawable(const Dataset& data);
// Small images are enlarged, large ones thinned out. Real values are drawn from black (the smallest of those shown) to
// white. `data` is drawable.
Picture contact_sheet(const Dataset& data);
std::string png(const Picture& picture);  // Throws: library, memory

}  // namespace rz::tool
