// The benchmarks of `rezero bench`: one function each, with its options. A result is text for people or a JSON
// document.
#pragma once

#include <cstdint>
#include <string>

namespace rz::tool {

struct BenchOptions {
  std::int64_t depth = 32, width = 256, batch = 128;
  std::int64_t steps = 20, warmup = 3;
  std::string form = "rezero";
  std::string optimizer = "adam";
  std::int64_t parameters = 100'000'000;
  bool json = false;
};

// Whole training steps of the fully connected net on CIFAR-10's sizes: forward, loss, backward, Adagrad. Random data,
// gates 1 / depth: zeros could be cheaper. GFLOP/s are those of the matrix products; the peak is that of the threads in
// use, measured before and after.
std::string bench_fc(const BenchOptions& options);
// The Jacobian of the stack at one input in f64, and its singular values.
std::string bench_jacobian(const BenchOptions& options);
// Optimiser steps over weights in f32: the norm of the gradient and the update. Bytes count each array of a pass once,
// an array that is updated in place twice; the bandwidth is that of an update in place, measured between the steps
// (medians).
std::string bench_optimizer(const BenchOptions& options);
// FMA peak, memory bandwidth and matrix products at our shapes, on 1 and on all threads.
std::string bench_machine(bool json);

// Whole commands: a spectrum, a phase diagram, a density.
std::string bench_isometry(bool json);

}  // namespace rz::tool
