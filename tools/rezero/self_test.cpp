#include "tools/rezero/self_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/linalg.h"
#include "core/ops.h"
#include "core/random.h"

namespace rz::tool {
namespace {

struct Sizes {
  std::int64_t m, n, k;
};
constexpr Sizes sizes[] = {{1, 1, 1},    {1, 7, 3},       {5, 1, 9},     {17, 23, 31},
                           {64, 10, 33}, {100, 150, 129}, {129, 257, 65}};

struct Matrix {  // its element (row, column), whichever way it is stored
  std::vector<double> values;
  std::int64_t columns;
  bool transposed;
  double at(std::int64_t row, std::int64_t column) const {
    return values[static_cast<std::size_t>(transposed ? column * columns + row : row * columns + column)];
  }
};

Matrix matrix_of(const Tensor& tensor, Transpose op) {
  return {tensor.to_vector(), tensor.shape()[1], op == Transpose::yes};
}

Tensor random_matrix(std::int64_t rows, std::int64_t columns, Transpose op, DType dtype, Random& random) {
  return normal_tensor(op == Transpose::yes ? Shape{columns, rows} : Shape{rows, columns}, random, dtype);
}

// The largest error of c = start + op(a) op(b) in units of the bound; NaN counts as infinite.
double worst_error(const Matrix& a, const Matrix& b, const std::vector<double>& start, const std::vector<double>& c,
                   Sizes s, double eps) {
  double worst = 0;
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j) {
      const std::size_t at = static_cast<std::size_t>(i * s.n + j);
      double sum = start[at], size = std::abs(start[at]);
      for (std::int64_t k = 0; k < s.k; ++k) {
        const double product = a.at(i, k) * b.at(k, j);
        sum += product;
        size += std::abs(product);
      }
      const double error = std::abs(c[at] - sum) / (static_cast<double>(s.k + 2) * eps * size);
      worst = std::max(worst, std::isfinite(error) ? error : std::numeric_limits<double>::infinity());
    }
  }
  return worst;
}

void check_products(DType dtype, Random& random, SelfTest& test) {
  const double eps =
      dtype == DType::f32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  for (const Sizes& s : sizes) {
    for (const int transposes : {0, 1, 2, 3}) {
      const Transpose op_a = transposes & 2 ? Transpose::yes : Transpose::no,
                      op_b = transposes & 1 ? Transpose::yes : Transpose::no;
      const Tensor a = random_matrix(s.m, s.k, op_a, dtype, random), b = random_matrix(s.k, s.n, op_b, dtype, random);
      const Tensor c = normal_tensor({s.m, s.n}, random, dtype);
      for (const bool accumulate : {true, false}) {
        const std::vector<double> start =
            accumulate ? c.to_vector() : std::vector<double>(static_cast<std::size_t>(c.elements()));
        ops::gemm(op_a, a, op_b, b, Destination{c, accumulate});
        const double worst = worst_error(matrix_of(a, op_a), matrix_of(b, op_b), start, c.to_vector(), s, eps);
        ++test.products;
        if (worst > 1 && test.failure.empty()) {
          test.failure = fmt::format("gemm {} {}{} {} x {} x {} is off by {:.3g} times the bound", name(dtype),
                                     transposes & 2 ? 't' : 'n', transposes & 1 ? 't' : 'n', s.m, s.n, s.k, worst);
        }
        test.worst = std::max(test.worst, worst);
      }
    }
  }
}

// Q diag(sigma) has the singular values sigma; Q from our QR of a Gaussian matrix.
void check_singular_values(DType dtype, Random& random, SelfTest& test) {
  constexpr std::int64_t m = 61, n = 37;
  const Tensor q = qr(normal_tensor({m, n}, random, DType::f64)).q;
  std::vector<double> sigma;
  for (std::int64_t j = 0; j < n; ++j) sigma.push_back(std::pow(2.0, -static_cast<double>(j) / 4));
  const Tensor a = ops::multiply(q, Tensor::of({1, n}, sigma));
  const std::vector<double> found = svdvals(a.to(dtype));
  const double eps =
      dtype == DType::f32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  for (std::size_t j = 0; j < sigma.size(); ++j) {
    const double error = std::abs(found[j] - sigma[j]) / (static_cast<double>(m) * eps);
    if (!(error <= 1) && test.failure.empty())
      test.failure = fmt::format("singular value {} of a {} x {} matrix in {} is {}, not {}", j, m, n, name(dtype),
                                 found[j], sigma[j]);
  }
}

}  // namespace

SelfTest blas_self_test() {
  SelfTest test;
  Random random(1, stream_named("info/self-test"));
  for (const DType dtype : {DType::f32, DType::f64}) {
    check_products(dtype, random, test);
    check_singular_values(dtype, random, test);
  }
  test.passed = test.failure.empty();
  return test;
}

}  // namespace rz::tool
