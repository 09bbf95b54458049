#include "support/guarded_device.h"

#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>

#include "support/forwarding_backend.h"

namespace rz::test {
namespace {

// One range of addresses, handed out first fit. It is accessible while at least one thread is in a backend call.
class Arena {
 public:
  Arena() {
    void* memory = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("guarded device: mmap failed");
    base_ = static_cast<char*>(memory);
    free_[0] = size;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { munmap(base_, size); }

  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    bytes = rounded(bytes);
    for (const auto& [offset, length] : free_) {
      if (length < bytes) continue;
      const std::size_t start = offset, rest = length - bytes;
      free_.erase(start);
      if (rest) free_[start + bytes] = rest;
      return base_ + start;
    }
    return nullptr;
  }

  void release(void* data, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::size_t start = static_cast<std::size_t>(static_cast<char*>(data) - base_);
    give_back_pages(start, start + bytes);
    auto at = free_.emplace(start, rounded(bytes)).first;
    const auto next = std::next(at);
    if (next != free_.end() && at->first + at->second == next->first) {
      at->second += next->second;
      free_.erase(next);
    }
    if (at == free_.begin()) return;
    const auto previous = std::prev(at);
    if (previous->first + previous->second == at->first) {
      previous->second += at->second;
      free_.erase(at);
    }
  }

  void enter() {
    const std::lock_guard lock(mutex_);
    if (calls_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    if (--calls_ == 0) protect(PROT_NONE);
  }

 private:
  static constexpr std::size_t size = std::size_t{512} << 20;
  static std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  // Whole pages go back to the system: mprotect's time grows with the pages that are present.
  void give_back_pages(std::size_t begin, std::size_t end) const {
    constexpr std::size_t page = 4096;
    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    if (begin < end) madvise(base_ + begin, end - begin, MADV_DONTNEED);
  }
  void protect(int protection) const {
    if (mprotect(base_, size, protection) != 0) throw std::runtime_error("guarded device: mprotect failed");
  }

  std::mutex mutex_;
  char* base_ = nullptr;
  std::map<std::size_t, std::size_t> free_;  // offset -> length, never adjacent
  int calls_ = 0;
};

class GuardedBackend final : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;

  void* allocate(std::size_t bytes) override {
    void* data = arena_.allocate(bytes);
    if (!data) return nullptr;
    arena_.enter();
    std::memset(data, 0xFF, bytes);
    arena_.leave();
    return data;
  }
  void release(void* data, std::size_t bytes) override { arena_.release(data, bytes); }

 private:
  void enter() override { arena_.enter(); }
  void leave() override { arena_.leave(); }
  Arena arena_;
};

}  // namespace

Device use_guarded_device() {
  const Device device{DeviceKind::guarded, 0};
  static const bool registered = [device] {
    register_backend(device, std::make_unique<GuardedBackend>(device));
    return true;
  }();
  static_cast<void>(registered);
  return device;
}

}  // namespace rz::test
