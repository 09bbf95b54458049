// Memory of a device: a caching pool of blocks, and its statistics.
// Sizes are rounded up to classes; a freed block is kept and reused by class, so a step that repeats its requests asks
// the system for nothing from the second time on and gets the same addresses. Blocks are aligned to 64 bytes; large
// ones ask for huge pages. In address-sanitizer builds nothing is cached or rounded: each tensor is its own allocation,
// so that an overrun by one element is found.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/device.h"

namespace rz {

class Backend;
class Pool;

// One allocation with a count of its handles; header and memory are recycled together, so a cached block costs no heap
// allocation.
struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;  // size of its class
  Pool* pool = nullptr;
  std::atomic<std::int64_t> handles{0};
};

// A shared handle to a Block.
class BlockHandle {
 public:
  BlockHandle() = default;
  explicit BlockHandle(Block* block) : block_(block) { retain(); }
  BlockHandle(const BlockHandle& other) : block_(other.block_) { retain(); }
  BlockHandle(BlockHandle&& other) noexcept : block_(other.block_) { other.block_ = nullptr; }
  BlockHandle& operator=(BlockHandle other) noexcept {
    Block* mine = block_;
    block_ = other.block_;
    other.block_ = mine;
    return *this;
  }
  ~BlockHandle() { release(); }

  Block* operator->() const { return block_; }
  Block* get() const { return block_; }
  explicit operator bool() const { return block_ != nullptr; }
  bool unique() const { return block_ && block_->handles.load(std::memory_order_acquire) == 1; }

 private:
  void retain() const {
    if (block_) block_->handles.fetch_add(1, std::memory_order_relaxed);
  }
  void release();
  Block* block_ = nullptr;
};

struct MemoryStatistics {
  std::int64_t bytes_in_use = 0;        // of handed-out blocks, in class sizes
  std::int64_t peak_bytes = 0;          // largest bytes_in_use since the start or reset_peak
  std::int64_t bytes_reserved = 0;      // in use + cached
  std::int64_t system_allocations = 0;  // times the system was asked
  std::int64_t requests = 0;            // blocks handed out
};

class Pool {
 public:
  explicit Pool(Backend& backend);  // takes its memory from backend.allocate / release
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  BlockHandle allocate(std::size_t bytes);  // Throws: memory (says how much was wanted and how much is in use)
  void trim();                              // gives cached blocks back to the system
  MemoryStatistics statistics() const;
  void reset_peak();                    // peak_bytes = bytes_in_use
  void raise_peak(std::int64_t bytes);  // peak_bytes at least this: puts back a peak that a measurement had reset
  Backend& backend() const { return backend_; }

 private:
  friend class BlockHandle;
  void recycle(Block* block);
  struct State;
  Backend& backend_;
  std::unique_ptr<State> state_;
};

Pool& pool(Device device);  // the pool of a device.   Throws: device

// Scratch memory of one kernel call: blocks of the pool, returned when the object goes.
class Workspace {
 public:
  explicit Workspace(Pool& pool) : pool_(pool) {}
  void* bytes(std::size_t count);
  Pool& pool() const { return pool_; }
  template <class T>
  T* array(std::int64_t count) {
    return static_cast<T*>(bytes(static_cast<std::size_t>(count) * sizeof(T)));
  }

 private:
  static constexpr int max_blocks = 16;
  Pool& pool_;
  BlockHandle blocks_[max_blocks];
  int used_ = 0;
};

}  // namespace rz
