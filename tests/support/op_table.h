// The operation table: a row per operation and case, in one file per family (tests/autograd/<family>_table.cpp).
// table_test.cpp runs the same checks on every row; a name passed to record() without a row fails there.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "autograd/variable.h"

namespace rz::test {

using Inputs = std::span<const Variable>;

struct OpRow {
  std::string operation{};     // the name passed to record()
  std::string detail{};        // the case
  std::vector<Shape> small{};  // of the inputs, where every derivative is checked by differences
  std::vector<Shape> large{};  // odd, and enough work for several threads; none: small alone
  // What the row computes. Constants (labels, indices) come from the shapes of the inputs and lie on their device.
  std::function<Variable(Inputs)> call{};

  bool positive = false;        // inputs are at least 0.5 (for log, sqrt, a divisor); otherwise in [-2, 2)
  std::vector<double> kinks{};  // inputs keep away from these
  double tolerance = 1e-6;      // of derivatives against differences
  bool second_order = true;     // reverse over forward is there
  bool fused = false;           // runs a backend function with a default body
  double fused_tolerance = 1;   // override against default, in units of 1e-12 (f64) and 1e-5 (f32)

  std::string name() const { return detail.empty() ? operation : operation + ": " + detail; }
};

// A constant like x: of its dtype, on its device.
inline Variable constant_like(const Variable& x, const Shape& shape, double value) {
  return Variable(Tensor::full(shape, value, x.dtype(), x.value().device()));
}
inline Tensor integers_like(const Variable& x, std::initializer_list<std::int64_t> values) {
  return Tensor::of_integers({static_cast<std::int64_t>(values.size())}, values, DType::i64, x.value().device());
}

std::vector<OpRow> elementwise_rows();
std::vector<OpRow> linear_rows();
std::vector<OpRow> reduce_rows();
std::vector<OpRow> shape_rows();
std::vector<OpRow> softmax_rows();
std::vector<OpRow> norm_rows();
std::vector<OpRow> convolution_rows();
std::vector<OpRow> batch_norm_rows();
std::vector<OpRow> dropout_rows();
std::vector<OpRow> attention_rows();
std::vector<OpRow> residual_rows();
std::vector<OpRow> checkpoint_rows();

}  // namespace rz::test
