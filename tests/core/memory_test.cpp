#include "core/memory.h"

#include <doctest/doctest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "core/backend.h"
#include "core/tensor.h"
#include "support/close.h"
#include "support/sanitizers.h"

using namespace rz;
using namespace rz::test;

namespace {

// What a step might ask for: sizes that overlap in time and repeat.
[[maybe_unused]] std::vector<void*> requests(Pool& memory) {
  std::vector<void*> addresses;
  std::vector<BlockHandle> held;
  for (std::size_t bytes : {1U, 64U, 100U, 1000U, 1000U, 4096U, 70000U, 3U << 20, 100U}) {
    held.push_back(memory.allocate(bytes));
    addresses.push_back(held.back()->data);
    std::memset(held.back()->data, 1, bytes);
    if (held.size() > 3) held.erase(held.begin());
  }
  return addresses;
}

}  // namespace

TEST_SUITE("core/memory") {
// The address sanitizer's builds cache and round nothing; both sanitizers end the program when it asks for too much.
#if !RZ_ADDRESS_SANITIZER && !RZ_THREAD_SANITIZER
  TEST_CASE("memory: repeated requests ask the system for nothing and get the same addresses") {
    Pool memory(backend(Device::cpu()));
    requests(memory);
    const std::vector<void*> second = requests(memory);
    const std::int64_t asked = memory.statistics().system_allocations;
    for (int run = 0; run < 3; ++run) CHECK(requests(memory) == second);
    CHECK(memory.statistics().system_allocations == asked);
    CHECK(memory.statistics().bytes_in_use == 0);
    CHECK(memory.statistics().requests == 5 * 9);
  }

  TEST_CASE("memory: a class wastes at most a quarter of a block, and cached bytes can be given back") {
    Pool memory(backend(Device::cpu()));
    for (std::size_t bytes = 1; bytes < 100000; bytes = bytes * 5 / 4 + 7) {
      const BlockHandle block = memory.allocate(bytes);
      CHECK(block->bytes >= bytes);
      CHECK(static_cast<double>(block->bytes) <= static_cast<double>(bytes) * 1.25 + 64);
      CHECK(reinterpret_cast<std::uintptr_t>(block->data) % 64 == 0);
    }
    CHECK(memory.statistics().bytes_reserved > 0);
    memory.trim();
    CHECK(memory.statistics().bytes_reserved == 0);
  }

  TEST_CASE("memory: what the system does not have is an error that says how much was wanted") {
    const std::string message = message_of(ErrorCode::memory, [] { Tensor({std::int64_t{1} << 46}, DType::u8); });
    CHECK(mentions(message, {"memory", std::to_string(std::int64_t{1} << 46), "cpu"}));
  }
#endif

  TEST_CASE("memory: a block returns when its last handle goes") {
    Pool memory(backend(Device::cpu()));
    BlockHandle a = memory.allocate(1000);
    const std::int64_t bytes = memory.statistics().bytes_in_use;
    CHECK(bytes >= 1000);
    CHECK(a.unique());
    BlockHandle b = a;
    CHECK(!a.unique());
    BlockHandle c = std::move(a);
    CHECK(!a);  // NOLINT(bugprone-use-after-move): a moved-from handle is empty
    b = c;
    b = BlockHandle();
    CHECK(c.unique());
    CHECK(memory.statistics().bytes_in_use == bytes);
    c = BlockHandle();
    CHECK(memory.statistics().bytes_in_use == 0);
  }

  TEST_CASE("memory: the peak is the largest sum of what was in use") {
    Pool memory(backend(Device::cpu()));
    const BlockHandle kept = memory.allocate(1 << 20);
    {
      const BlockHandle passing = memory.allocate(4 << 20);
    }
    CHECK(memory.statistics().peak_bytes >= 5 << 20);
    CHECK(memory.statistics().bytes_in_use < 2 << 20);
    memory.reset_peak();
    CHECK(memory.statistics().peak_bytes == memory.statistics().bytes_in_use);
    memory.raise_peak(123 << 20);
    memory.raise_peak(1);
    CHECK(memory.statistics().peak_bytes == 123 << 20);
  }

  TEST_CASE("memory: a workspace returns its blocks at the end") {
    Pool& memory = pool(Device::cpu());
    const std::int64_t before = memory.statistics().bytes_in_use;
    {
      Workspace scratch(memory);
      double* a = scratch.array<double>(100);
      float* b = scratch.array<float>(100);
      std::memset(a, 0, 800);
      std::memset(b, 1, 400);
      CHECK(a[99] == 0);
      CHECK(memory.statistics().bytes_in_use >= before + 1200);
    }
    CHECK(memory.statistics().bytes_in_use == before);
  }

  TEST_CASE("memory: handles may go on other threads [threads]") {
    const std::int64_t before = pool(Device::cpu()).statistics().bytes_in_use;
    const Tensor shared = Tensor::zeros({1000});
    std::vector<std::thread> workers;
    for (int worker = 0; worker < 4; ++worker) {
      workers.emplace_back([shared, worker] {
        for (int i = 0; i < 1000; ++i) {
          const Tensor copy = shared;  // NOLINT(performance-unnecessary-copy-initialization): counting is the point
          const Tensor own({worker * 100 + i % 7 + 1});
          own.data<float>()[0] = copy.data<float>()[0];
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    CHECK(shared.unique());
    CHECK(pool(Device::cpu()).statistics().bytes_in_use - before >= 4000);
  }
}
