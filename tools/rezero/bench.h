// The benchmarks of `rezero bench`: one function each, with its options.
#pragma once

#include <cstdint>
#include <string>

namespace rz::tool {

struct TransformerSizes {
  std::int64_t layers = 12, d_model = 512, heads = 8, feed_forward = 2048, context = 512, batch = 2;
};

struct ResNetSizes {
  std::int64_t layers = 56;
  std::string memory;  // of a step; empty: no limit
};

struct BenchOptions {
  std::int64_t depth = 32, width = 256, batch = 128;
  TransformerSizes transformer;
  ResNetSizes resnet;
  std::int64_t steps = 20, warmup = 3;
  std::string form = "rezero";
  std::string precision = "f32";  // of products, as train.precision
  std::string optimizer = "adam";
  std::int64_t parameters = 100'000'000;
};

struct BenchResult {
  std::string text, json;  // for people; a document with measurements (measurement.h)
};

// Whole training steps of the fully connected net on CIFAR-10's sizes: forward, loss, backward, Adagrad. Random data,
// gates 1 / depth: zeros could be cheaper. GFLOP/s are those of the matrix products; the peak is that of the threads in
// use, measured before and after.
BenchResult bench_fc(const BenchOptions& options);
// The same of a causal language model with learned positions and without dropout, by Adam on random tokens of 256
// kinds, gates 0.1. Attention's products count where query and key see each other.
BenchResult bench_transformer(const BenchOptions& options);
// The same of a ResNet for CIFAR by SGD with momentum and weight decay, on random images, gates 0.1.
BenchResult bench_resnet(const BenchOptions& options);
// The Jacobian of the stack at one input in f64, and its singular values.
BenchResult bench_jacobian(const BenchOptions& options);
// Optimiser steps over weights in f32: the norm of the gradient and the update. Bytes count each array of a pass once,
// an array that is updated in place twice; the bandwidth is that of an update in place, measured between the steps
// (medians).
BenchResult bench_optimizer(const BenchOptions& options);
// Peak of multiply-adds and bandwidths, and how near to them the kernels come, on 1 and on all threads.
BenchResult bench_machine();
// Whole commands: a spectrum, a phase diagram, a density.
BenchResult bench_isometry();

// Two documents side by side: prints text or JSON. The exit code: 1 if a measurement is slower beyond the spread.
int bench_compare(const std::string& old_path, const std::string& new_path, bool json);  // Throws: file

}  // namespace rz::tool
