#include "tools/rezero/bench_kernels.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

#include "core/backend.h"
#include "core/ops.h"
#include "core/parallel.h"
#include "core/precision.h"
#include "core/random.h"
#include "core/step.h"
#include "tools/rezero/peak.h"

namespace rz::tool {
namespace {

struct TimedProduct {  // c [m, n] = op(a) op(b), inner extent k; "nt": b transposed
  const char* operands;
  DType dtype;
  std::int64_t m, n, k;
  ProductPrecision precision = ProductPrecision::plain;
};
// A layer's forward, input gradient and weight gradient; the input layer's forward and weight gradient; the output
// layer; a large one. In f64 a layer's forward, products of a Jacobian of width 256, and a large one.
constexpr TimedProduct products[] = {
    {"nt", DType::f32, 128, 256, 256},
    {"nn", DType::f32, 128, 256, 256},
    {"tn", DType::f32, 256, 256, 128},
    {"nt", DType::f32, 128, 256, 3072},
    {"tn", DType::f32, 256, 3072, 128},
    {"nt", DType::f32, 128, 10, 256},
    {"nn", DType::f32, 2048, 2048, 2048},
    {"nt", DType::f64, 128, 256, 256},
    {"nt", DType::f64, 256, 256, 256},
    {"nn", DType::f64, 256, 256, 256},
    {"nn", DType::f64, 1024, 1024, 1024},
    {"nt", DType::f32, 128, 256, 256, ProductPrecision::bf16},
    {"nn", DType::f32, 1024, 1024, 1024, ProductPrecision::bf16},
};

Tensor normal(const Shape& shape, DType dtype = DType::f32) {
  Random random(1, stream_named("bench/kernels"));
  return normal_tensor(shape, random, dtype);
}

Kernel gemm(const TimedProduct& p) {
  const Transpose a = p.operands[0] == 't' ? Transpose::yes : Transpose::no;
  const Transpose b = p.operands[1] == 't' ? Transpose::yes : Transpose::no;
  const Tensor left = normal(a == Transpose::yes ? Shape{p.k, p.m} : Shape{p.m, p.k}, p.dtype);
  const Tensor right = normal(b == Transpose::yes ? Shape{p.n, p.k} : Shape{p.k, p.n}, p.dtype);
  const Destination c{Tensor({p.m, p.n}, p.dtype)};
  const std::string_view precision = p.precision == ProductPrecision::plain ? name(p.dtype) : name(p.precision);
  return {fmt::format("gemm {} {} {}x{}x{}", precision, p.operands, p.m, p.n, p.k),
          p.dtype == DType::f32 ? Roof::fma_f32 : Roof::fma_f64, 2e-9 * static_cast<double>(p.m * p.n * p.k),
          [=, products = p.precision] {
            const ProductPrecisionScope scope(products);
            ops::gemm(a, left, b, right, c);
          }};
}

// Kernels over matrices in f32 that fill `bytes` together.
class MatrixKernels {
 public:
  explicit MatrixKernels(std::size_t bytes) : bytes_(bytes) {}
  // A kernel that reads or writes `matrices` of equal shape once each; make(shape) draws operands and returns what
  // runs.
  template <class Make>
  void add(const char* name, int matrices, std::int64_t columns, Make&& make) {
    const auto row_bytes = static_cast<std::int64_t>(sizeof(float)) * columns * matrices;
    const std::int64_t rows = static_cast<std::int64_t>(bytes_) / row_bytes;
    kernels_.push_back({fmt::format("{} f32", name), matrices == 1 ? Roof::read_cache : Roof::update_cache,
                        1e-9 * static_cast<double>(rows * row_bytes), make(Shape{rows, columns})});
  }
  std::vector<Kernel> take() { return std::move(kernels_); }

 private:
  std::size_t bytes_;
  std::vector<Kernel> kernels_;
};

constexpr std::int64_t width = 256, classes = 1000;

std::vector<Kernel> matrix_kernels(std::size_t bytes) {
  MatrixKernels kernels(bytes);
  const auto scalar = [&](const char* name, ScalarFunction f) {
    kernels.add(name, 2, width, [=](const Shape& shape) { return [=, x = normal(shape)] { ops::scalar(f, 0, x); }; });
  };
  const Tensor gates = Tensor::full({1}, 0.1);
  kernels.add("residual_add", 3, width, [&](const Shape& shape) {
    return [gates, x = normal(shape), f = normal(shape)] { ops::residual_add(x, f, gates, 0); };
  });
  kernels.add("residual_add_vjp", 3, width, [&](const Shape& shape) {
    return [gates, f = normal(shape), d_y = normal(shape), d_f = Tensor(shape), d_gates = Tensor({1})] {
      ops::residual_add_vjp(f, gates, 0, d_y, {d_f}, {d_gates});
    };
  });
  scalar("relu", ScalarFunction::relu);
  kernels.add("relu_vjp", 3, width, [](const Shape& shape) {
    return [y = normal(shape), d_y = normal(shape)] { ops::scalar_vjp(ScalarFunction::relu, y, d_y); };
  });
  scalar("tanh", ScalarFunction::tanh);
  scalar("gelu", ScalarFunction::gelu);
  kernels.add("softmax_cross_entropy", 2, classes, [](const Shape& shape) {
    return [logits = normal(shape), labels = Tensor::zeros({shape[0]}, DType::i64)] {
      ops::softmax_cross_entropy(logits, labels, {}, true);
    };
  });
  kernels.add("layer_norm", 2, width, [](const Shape& shape) {
    return [x = normal(shape), gain = Tensor::full({width}, 1), bias = Tensor::zeros({width})] {
      ops::layer_norm(x, gain, bias, 1e-5);
    };
  });
  kernels.add("transpose", 2, width,
              [](const Shape& shape) { return [x = normal(shape)] { ops::permute(x, std::vector<int>{1, 0}); }; });
  kernels.add("sum_of_squares", 1, width,
              [](const Shape& shape) { return [x = normal(shape)] { ops::sum_of_squares(x); }; });
  return kernels.take();
}

// Reads the gradient, updates value and slots in place; all of them fill `bytes`.
Kernel update(const char* name, const char* size, int slots, std::size_t bytes, Roof roof) {
  const std::int64_t n = static_cast<std::int64_t>(bytes / sizeof(float)) / (2 + slots);
  const Tensor gradient = Tensor::full({n}, 0.01), value = Tensor::full({n}, 1);
  const Tensor first = Tensor::zeros({n}), second = slots == 2 ? Tensor::zeros({n}) : Tensor();
  StepState state;
  state.set(1, 1e-3);
  const double passes = 1 + 2 * (1 + slots);
  return {fmt::format("{} f32{}", name, size), roof, 1e-9 * sizeof(float) * passes * static_cast<double>(n), [=] {
            if (slots == 1) ops::adagrad({}, state.tensor(), gradient, value, first);
            if (slots == 2) ops::adam({}, state.tensor(), gradient, value, first, second);
          }};
}

}  // namespace

std::vector<Kernel> bench_kernels() {
  std::vector<Kernel> kernels;
  for (const TimedProduct& p : products)
    if (backend(Device::cpu()).missing_for(p.precision).empty()) kernels.push_back(gemm(p));
  const std::size_t cached = cache_bytes_per_thread * static_cast<std::size_t>(threads());
  for (Kernel& kernel : matrix_kernels(cached)) kernels.push_back(std::move(kernel));
  kernels.push_back(update("adagrad", "", 1, cached, Roof::update_cache));
  kernels.push_back(update("adam", "", 2, cached, Roof::update_cache));
  kernels.push_back(update("adagrad", " 256 MiB", 1, memory_bytes, Roof::update_memory));
  kernels.push_back(update("adam", " 256 MiB", 2, memory_bytes, Roof::update_memory));
  return kernels;
}

}  // namespace rz::tool
