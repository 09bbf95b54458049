#include "support/guarded_device.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/ops.h"
#include "core/step.h"
#include "support/close.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

// The signal that ends a child process in which f runs, or 0.
template <class F>
int signal_of(F&& f) {
  std::fflush(nullptr);  // else the child might write what is buffered again
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    std::signal(SIGBUS, SIG_DFL);
    f();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

// f computes a tensor from inputs on a device.
template <class F>
void check_same_bits(F&& f) {
  CHECK(identical(f(use_guarded_device()), f(Device::cpu())));
}

}  // namespace

TEST_SUITE("core/guarded_device") {
  TEST_CASE("guarded device: the host cannot touch its memory") {
    const Tensor x = Tensor::full({3}, 2, DType::f64, use_guarded_device());
    volatile double* memory = static_cast<double*>(x.raw());
    CHECK(signal_of([&] { static_cast<void>(memory[0]); }) == SIGSEGV);
    CHECK(signal_of([&] { memory[0] = 1; }) == SIGSEGV);
    CHECK(signal_of([] {}) == 0);
    CHECK(close(x, {2, 2, 2}, 0));
    CHECK(mentions(message_of(ErrorCode::device, [&] { x.data<double>(); }), {"guarded"}));
  }

  TEST_CASE("guarded device: fresh memory holds NaN, scratch memory is guarded too") {
    pool(use_guarded_device()).trim();
    for (double value : Tensor({5}, DType::f32, use_guarded_device()).to_vector()) CHECK(std::isnan(value));
    Workspace scratch(pool(use_guarded_device()));
    volatile double* memory = scratch.array<double>(10);
    CHECK(signal_of([&] { static_cast<void>(memory[0]); }) == SIGSEGV);
  }

  TEST_CASE("guarded device: memory is given back and used again") {
    Pool& memory = pool(use_guarded_device());
    for (int round = 0; round < 3; ++round) {  // 200 MiB each of 512
      const std::vector<Tensor> tensors(2, Tensor({100 << 20}, DType::u8, use_guarded_device()));
      const Tensor other({100 << 20}, DType::u8, use_guarded_device());
      memory.trim();
    }
    memory.trim();
    const std::string message =
        message_of(ErrorCode::memory, [] { Tensor({600 << 20}, DType::u8, use_guarded_device()); });
    CHECK(mentions(message, {"memory", "guarded"}));
  }

  TEST_CASE("guarded device: operations give the CPU's bits") {
    const auto input = [](const Shape& shape, const char* name, DType dtype, Device device) {
      return normal_input(shape, name, dtype).to(device);
    };
    for (DType dtype : {DType::f32, DType::f64}) {
      check_same_bits([&](Device d) {
        return ops::gemm(Transpose::no, input({33, 65}, "a", dtype, d), Transpose::yes, input({17, 65}, "b", dtype, d));
      });
      check_same_bits([&](Device d) {
        return ops::linear(input({33, 65}, "x", dtype, d), input({17, 65}, "w", dtype, d), input({17}, "b", dtype, d),
                           ScalarFunction::gelu);
      });
      check_same_bits([&](Device d) { return ops::sum(input({333, 65}, "x", dtype, d)); });
      check_same_bits([&](Device d) { return ops::sum_of_squares(input({333, 65}, "x", dtype, d)); });
      check_same_bits(
          [&](Device d) { return ops::add(input({3, 1, 5}, "x", dtype, d), input({4, 1}, "y", dtype, d)); });
      check_same_bits([&](Device d) { return ops::scalar(ScalarFunction::tanh, 2, input({999}, "x", dtype, d)); });
      check_same_bits([&](Device d) { return ops::slice(input({9, 8, 7}, "x", dtype, d), 1, 2, 5); });
      check_same_bits([&](Device d) {
        const Tensor x = input({4, 9}, "x", dtype, d);
        return ops::residual_add(x, ops::scale(2, x), input({3}, "gates", dtype, d), 1);
      });
      check_same_bits([&](Device d) {
        const Tensor labels = Tensor::of_integers({3}, std::vector<std::int64_t>{1, -100, 0}).to(d);
        return ops::softmax_cross_entropy(input({3, 4}, "logits", dtype, d), labels, {.label_smoothing = 0.1}, true)
            .d_logits;
      });
      check_same_bits([&](Device d) {
        return ops::layer_norm(input({5, 30}, "x", dtype, d), input({30}, "gain", dtype, d),
                               input({30}, "bias", dtype, d), 1e-5)
            .y;
      });
      check_same_bits([&](Device d) {
        return ops::rms_norm(input({5, 30}, "x", dtype, d), input({30}, "gain", dtype, d), 1e-5).y;
      });
      check_same_bits([&](Device d) { return ops::uniform({1, 2}, StepState(d).tensor(), {1001}, dtype); });
      check_same_bits([&](Device d) {
        const Tensor value = input({100}, "value", dtype, d), sum = Tensor::zeros({100}, dtype, d);
        StepState state(d);
        state.set(3, 0.1);
        ops::adagrad({.weight_decay = 0.1}, state.tensor(), input({100}, "gradient", dtype, d), value, sum);
        return value;
      });
    }
  }
}
