// Products on several threads at once: OpenBLAS keeps buffers that some builds let threads share.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/ops.h"
#include "core/parallel.h"
#include "core/random.h"
#include "tools/rezero/self_test.h"

namespace rz::tool {
namespace {

class ThreadsWhile {  // at least so many threads, until it ends
 public:
  explicit ThreadsWhile(int least) : before_(threads()) { set_threads(std::max(least, before_)); }
  ~ThreadsWhile() { set_threads(before_); }
  ThreadsWhile(const ThreadsWhile&) = delete;
  ThreadsWhile& operator=(const ThreadsWhile&) = delete;

 private:
  int before_;
};

// Of small whole numbers, so that every order of summation gives the same, exactly.
struct Product {
  std::int64_t m, n, k;
  Tensor a, b, c;
  std::vector<double> expected;
  bool wrong = false;
};

Tensor whole_numbers(std::int64_t rows, std::int64_t columns, DType dtype, Random& random) {
  std::vector<double> values(static_cast<std::size_t>(rows * columns));
  for (double& value : values) value = std::floor(17 * random.uniform()) - 8;
  return Tensor::of({rows, columns}, values, dtype);
}

Product product_of(std::int64_t m, std::int64_t n, std::int64_t k, DType dtype, Random& random) {
  Product p{m, n, k, whole_numbers(m, k, dtype, random), whole_numbers(k, n, dtype, random), Tensor({m, n}, dtype), {}};
  const std::vector<double> a = p.a.to_vector(), b = p.b.to_vector();
  p.expected.resize(static_cast<std::size_t>(m * n));
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t l = 0; l < k; ++l)
      for (std::int64_t j = 0; j < n; ++j)
        p.expected[static_cast<std::size_t>(i * n + j)] +=
            a[static_cast<std::size_t>(i * k + l)] * b[static_cast<std::size_t>(l * n + j)];
  return p;
}

}  // namespace

SelfTest concurrent_self_test() {
  constexpr std::int64_t sizes[][3] = {{5, 9, 3}, {17, 23, 31}, {64, 10, 133}, {100, 150, 129}, {129, 257, 65}};
  constexpr int copies = 4, rounds = 12;
  Random random(1, stream_named("doctor/concurrent"));
  std::vector<Product> products;
  for (int copy = 0; copy < copies; ++copy)
    for (const auto& [m, n, k] : sizes)
      for (const DType dtype : {DType::f32, DType::f64}) products.push_back(product_of(m, n, k, dtype, random));
  SelfTest test;
  const ThreadsWhile several(4);
  for (int round = 0; round < rounds; ++round) {
    parallel_for(std::ssize(products), [&](std::int64_t i) {
      Product& p = products[static_cast<std::size_t>(i)];
      ops::gemm(Transpose::no, p.a, Transpose::no, p.b, Destination{p.c, false});
      p.wrong = p.wrong || p.c.to_vector() != p.expected;
    });
    test.products += static_cast<int>(products.size());
  }
  for (const Product& p : products)
    if (p.wrong && test.failure.empty())
      test.failure = fmt::format("gemm {} {} x {} x {} is wrong when {} threads multiply at once", name(p.a.dtype()),
                                 p.m, p.n, p.k, threads());
  test.passed = test.failure.empty();
  return test;
}

}  // namespace rz::tool
