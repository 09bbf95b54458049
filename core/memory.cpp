#include "core/memory.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/backend.h"
#include "core/error.h"

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

namespace rz {

namespace {
// Four classes per power of two: at most a quarter of a block is wasted.
std::size_t size_class(std::size_t bytes) {
  if (RZ_EXACT_ALLOCATIONS) return bytes;
  if (bytes <= 256) return (bytes + 63) / 64 * 64;
  const std::size_t step = std::bit_floor(bytes - 1) / 4;
  return (bytes + step - 1) / step * step;
}
bool higher_address(const Block* a, const Block* b) { return std::greater<>()(a->data, b->data); }
}  // namespace

struct Pool::State {
  mutable std::mutex mutex;
  // By class, a heap with the lowest address on top: which block is reused depends on what is free, not on the order in
  // which it came back. Else the addresses of a repeated step would be permuted from run to run.
  std::unordered_map<std::size_t, std::vector<Block*>> free;
  std::vector<Block*> blocks;  // headers without memory, for reuse
  MemoryStatistics statistics;
};

Pool::Pool(Backend& backend) : backend_(backend), state_(std::make_unique<State>()) {}

Pool::~Pool() {
  trim();
  for (Block* block : state_->blocks) delete block;
}

BlockHandle Pool::allocate(std::size_t bytes) {
  const std::size_t size = size_class(bytes ? bytes : 1);
  const std::lock_guard lock(state_->mutex);
  MemoryStatistics& s = state_->statistics;
  std::vector<Block*>& list = state_->free[size];
  Block* block = nullptr;
  if (!list.empty()) {
    std::pop_heap(list.begin(), list.end(), higher_address);
    block = list.back();
    list.pop_back();
  } else {
    void* data = backend_.allocate(size);
    RZ_CHECK(memory, data,
             "memory: {} bytes were wanted on {}, {} are in use and {} cached, and the system gives no more (use a "
             "smaller batch or model)",
             size, backend_.device().text(), s.bytes_in_use, s.bytes_reserved - s.bytes_in_use);
    if (state_->blocks.empty()) {
      block = new Block;
    } else {
      block = state_->blocks.back();
      state_->blocks.pop_back();
    }
    block->data = data;
    block->bytes = size;
    block->pool = this;
    s.bytes_reserved += static_cast<std::int64_t>(size);
    ++s.system_allocations;
  }
  ++s.requests;
  s.bytes_in_use += static_cast<std::int64_t>(size);
  if (s.bytes_in_use > s.peak_bytes) s.peak_bytes = s.bytes_in_use;
  return BlockHandle(block);
}

void Pool::recycle(Block* block) {
  const std::lock_guard lock(state_->mutex);
  MemoryStatistics& s = state_->statistics;
  s.bytes_in_use -= static_cast<std::int64_t>(block->bytes);
  if (RZ_EXACT_ALLOCATIONS) {
    s.bytes_reserved -= static_cast<std::int64_t>(block->bytes);
    backend_.release(block->data, block->bytes);
    state_->blocks.push_back(block);
    return;
  }
  std::vector<Block*>& list = state_->free[block->bytes];
  list.push_back(block);
  std::push_heap(list.begin(), list.end(), higher_address);
}

void Pool::trim() {
  const std::lock_guard lock(state_->mutex);
  for (auto& [size, list] : state_->free) {
    for (Block* block : list) {
      backend_.release(block->data, block->bytes);
      state_->statistics.bytes_reserved -= static_cast<std::int64_t>(block->bytes);
      state_->blocks.push_back(block);
    }
    list.clear();
  }
}

MemoryStatistics Pool::statistics() const {
  const std::lock_guard lock(state_->mutex);
  return state_->statistics;
}

void Pool::reset_peak() {
  const std::lock_guard lock(state_->mutex);
  state_->statistics.peak_bytes = state_->statistics.bytes_in_use;
}

void Pool::raise_peak(std::int64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  if (bytes > state_->statistics.peak_bytes) state_->statistics.peak_bytes = bytes;
}

void BlockHandle::release() {
  if (block_ && block_->handles.fetch_sub(1, std::memory_order_acq_rel) == 1) block_->pool->recycle(block_);
  block_ = nullptr;
}

Pool& pool(Device device) {
  // Never destroyed: tensors in static objects may outlive any order of destruction.
  static std::mutex mutex;
  static auto& pools = *new std::map<int, std::unique_ptr<Pool>>;
  static Pool& cpu_pool = *new Pool(backend(Device::cpu()));
  if (device == Device::cpu()) return cpu_pool;
  const std::lock_guard lock(mutex);
  std::unique_ptr<Pool>& entry = pools[static_cast<int>(device.kind) * 256 + device.index];
  if (!entry) entry = std::make_unique<Pool>(backend(device));
  return *entry;
}

void* Workspace::bytes(std::size_t count) {
  RZ_ASSERT(used_ < max_blocks);
  blocks_[used_] = pool_.allocate(count);
  return blocks_[used_++]->data;
}

}  // namespace rz
