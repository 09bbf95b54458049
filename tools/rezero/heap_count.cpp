// Replaces the global operator new by one that counts while a HeapCount lives, and else costs one read of a flag.
#include "tools/rezero/heap_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RZ_COUNT_HEAP 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RZ_COUNT_HEAP 0
#endif
#endif
#ifndef RZ_COUNT_HEAP
#define RZ_COUNT_HEAP 1
#endif

namespace rz::tool {
namespace {

constinit std::atomic<bool> counting{false};
constinit std::atomic<std::int64_t> allocations{0};

}  // namespace

bool heap_is_counted() { return RZ_COUNT_HEAP; }

HeapCount::HeapCount() {
  allocations.store(0, std::memory_order_relaxed);
  counting.store(true, std::memory_order_relaxed);
}
HeapCount::~HeapCount() { counting.store(false, std::memory_order_relaxed); }
std::int64_t HeapCount::count() const { return allocations.load(std::memory_order_relaxed); }

#if RZ_COUNT_HEAP
namespace {

void* take(std::size_t bytes, std::size_t alignment) {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
  if (bytes == 0) bytes = 1;
  for (;;) {
    void* const memory = alignment == 0
                             ? std::malloc(bytes)
                             : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (memory) return memory;
    const std::new_handler handler = std::get_new_handler();
    if (!handler) throw std::bad_alloc();
    handler();
  }
}

}  // namespace
#endif

}  // namespace rz::tool

#if RZ_COUNT_HEAP
// The array and nothrow forms call these.
void* operator new(std::size_t bytes) { return rz::tool::take(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return rz::tool::take(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#endif
