// Counts what `operator new` hands out, in the whole process.
#pragma once

#include <cstdint>

namespace rz::tool {

// False in sanitizer builds, whose own operator new is left in place.
bool heap_is_counted();

// Allocations of all threads from the construction to count(). One object at a time.
class HeapCount {
 public:
  HeapCount();
  ~HeapCount();
  HeapCount(const HeapCount&) = delete;
  HeapCount& operator=(const HeapCount&) = delete;
  std::int64_t count() const;
};

}  // namespace rz::tool
