// Which of many layers are written or printed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace rz::tool {

// At most so many of n indices: the first, the last and what lies evenly between.   `most` >= 1
inline std::vector<std::size_t> evenly_spaced(std::size_t n, std::size_t most) {
  std::vector<std::size_t> list;
  const std::size_t count = std::min(n, most);
  for (std::size_t k = 0; k < count; ++k) list.push_back(count == 1 ? 0 : k * (n - 1) / (count - 1));
  return list;
}

}  // namespace rz::tool
