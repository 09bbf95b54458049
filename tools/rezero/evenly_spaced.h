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

// Every k-th of n indices and the last, k the smallest that keeps to about `most`.   `most` >= 2
inline std::vector<std::size_t> at_equal_steps(std::size_t n, std::size_t most) {
  std::vector<std::size_t> list;
  const std::size_t step = n <= most ? 1 : (n - 2) / (most - 1) + 1;
  for (std::size_t i = 0; i < n; i += step) list.push_back(i);
  if (n > 0 && list.back() != n - 1) list.push_back(n - 1);
  return list;
}

}  // namespace rz::tool
