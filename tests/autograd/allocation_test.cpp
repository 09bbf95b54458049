// A training step asks the system for tensor memory in its first run only, and the heap once per recorded operation.
// The program's operator new is replaced by one that counts; the sanitizers have their own.

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/memory.h"
#include "core/ops.h"
#include "core/step.h"
#include "support/initializers.h"
#include "support/inputs.h"
#include "support/sanitizers.h"

#if !RZ_ADDRESS_SANITIZER && !RZ_THREAD_SANITIZER

namespace {
std::atomic<std::int64_t> heap_allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  heap_allocations.fetch_add(1, std::memory_order_relaxed);
  bytes = (bytes + alignment - 1) / alignment * alignment;
  if (void* data = std::aligned_alloc(alignment, bytes ? bytes : alignment)) return data;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* data) noexcept { std::free(data); }
void operator delete(void* data, std::size_t) noexcept { std::free(data); }
void operator delete(void* data, std::align_val_t) noexcept { std::free(data); }
void operator delete(void* data, std::size_t, std::align_val_t) noexcept { std::free(data); }

using namespace rz;
using namespace rz::test;

namespace {

// A fully connected ReZero network and its training step.
struct Training {
  static constexpr std::int64_t width = 48, depth = 12, classes = 10, batch = 32;
  ParameterStore store;
  std::vector<Parameter> weights, biases;
  Parameter gates, output;
  Tensor x, labels, slot;
  StepState state;
  Step step;

  Training() {
    for (std::int64_t i = 0; i < depth; ++i) {
      weights.push_back(store.declare("weight." + std::to_string(i), {width, width}, Role::weight, normal(0.2)));
      biases.push_back(store.declare("bias." + std::to_string(i), {width}, Role::bias, normal(0.1)));
    }
    gates = store.declare("resweight", {depth}, Role::residual_weight, normal(0.1));
    output = store.declare("output", {classes, width}, Role::weight, normal(0.1));
    store.build(1, DType::f32);
    x = normal_input({batch, width}, "x", DType::f32);
    std::vector<std::int64_t> targets;
    for (std::int64_t i = 0; i < batch; ++i) targets.push_back(i % classes);
    labels = Tensor::of_integers({batch}, targets);
    slot = store.slot("momentum");
  }

  Variable loss() const {
    Variable h = x;
    for (std::int64_t i = 0; i < depth; ++i) {
      const std::size_t k = static_cast<std::size_t>(i);
      h = residual_add(h, linear(h, weights[k], biases[k], ScalarFunction::relu), gates, i);
    }
    return softmax_cross_entropy(linear(h, output, {}), labels);
  }
  static constexpr std::int64_t operations = 2 * depth + 2;

  void train(std::int64_t t) {
    state.set(t, 0.01);
    step.run([&] {
      {
        Tape tape;
        tape.backward(loss());
      }
      ops::clip_scale(ops::sum_of_squares(store.gradients()), 1, state.tensor());
      ops::sgd({.momentum = 0.9}, state.tensor(), store.gradients(), store.values(), slot);
    });
  }
};

}  // namespace

TEST_SUITE("autograd/allocation") {
  TEST_CASE("allocation: from the second step on no memory from the system, and one heap allocation per operation") {
    Training training;
    training.train(1);
    for (std::int64_t t = 2; t <= 5; ++t) {
      INFO("step " << t);
      const MemoryStatistics before = pool(Device::cpu()).statistics();
      const std::int64_t heap = heap_allocations.load();
      training.train(t);
      const std::int64_t used = heap_allocations.load() - heap;
      const MemoryStatistics after = pool(Device::cpu()).statistics();
      CHECK(after.system_allocations == before.system_allocations);
      CHECK(after.requests > before.requests);
      CHECK(after.bytes_in_use == before.bytes_in_use);
      CHECK_MESSAGE(used <= Training::operations, used << " heap allocations for " << Training::operations);
    }
  }
}

#endif
