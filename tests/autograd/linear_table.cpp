#include "support/op_table.h"

namespace rz::test {
namespace {

// Operands of op_a(a) op_b(b) with a batch or none (0).
std::vector<Shape> operands(Transpose op_a, Transpose op_b, std::int64_t m, std::int64_t k, std::int64_t n,
                            std::int64_t batch_a, std::int64_t batch_b) {
  Shape a = op_a == Transpose::no ? Shape{m, k} : Shape{k, m};
  Shape b = op_b == Transpose::no ? Shape{k, n} : Shape{n, k};
  if (batch_a) a = a.prepended(batch_a);
  if (batch_b) b = b.prepended(batch_b);
  return {a, b};
}

void add_matmul(std::vector<OpRow>& rows, Transpose op_a, Transpose op_b) {
  const std::string ops = std::string(op_a == Transpose::no ? "a " : "a^T ") + (op_b == Transpose::no ? "b" : "b^T");
  const auto call = [op_a, op_b](Inputs x) { return matmul(op_a, x[0], op_b, x[1]); };
  const auto row = [&](const char* detail, std::int64_t batch_a, std::int64_t batch_b) {
    OpRow r{.operation = "matmul", .detail = ops + detail, .call = call};
    r.small = operands(op_a, op_b, 2, 3, 4, batch_a ? (batch_a > 1 ? 2 : 1) : 0, batch_b ? (batch_b > 1 ? 2 : 1) : 0);
    r.large = batch_a || batch_b ? operands(op_a, op_b, 67, 33, 71, batch_a, batch_b)
                                 : operands(op_a, op_b, 131, 257, 139, 0, 0);
    rows.push_back(std::move(r));
  };
  row("", 0, 0);
  row(", batches", 5, 5);
  row(", a shared", 0, 5);
  row(", b shared", 5, 0);
  row(", a of batch 1", 1, 5);
  row(", b of batch 1", 5, 1);
  const auto edge = [&](const char* detail, std::int64_t m, std::int64_t k, std::int64_t n) {
    rows.push_back(
        {.operation = "matmul", .detail = ops + detail, .small = operands(op_a, op_b, m, k, n, 0, 0), .call = call});
  };
  edge(", one element", 1, 1, 1);
  edge(", no rows", 0, 3, 2);
  edge(", no inner extent", 2, 0, 3);
  edge(", a row and a column", 1, 3, 1);
}

}  // namespace

std::vector<OpRow> linear_rows() {
  std::vector<OpRow> rows;
  const auto with_bias = [](Inputs x) { return linear(x[0], x[1], x[2]); };
  const auto without_bias = [](Inputs x) { return linear(x[0], x[1], {}); };
  const auto row = [&](const char* operation, const char* detail, std::vector<Shape> small, std::vector<Shape> large,
                       std::function<Variable(Inputs)> call) {
    rows.push_back({.operation = operation,
                    .detail = detail,
                    .small = std::move(small),
                    .large = std::move(large),
                    .call = std::move(call),
                    .fused = true});
  };
  row("linear", "", {{4, 3}, {2, 3}, {2}}, {{129, 257}, {131, 257}, {131}}, with_bias);
  row("linear", "no bias", {{4, 3}, {2, 3}}, {{129, 257}, {131, 257}}, without_bias);
  row("linear", "leading axes", {{2, 2, 3}, {2, 3}, {2}}, {{3, 43, 257}, {131, 257}, {131}}, with_bias);
  row("linear", "one row without an axis", {{3}, {2, 3}, {2}}, {{1031}, {517, 1031}, {517}}, with_bias);
  row("linear", "one element", {{1, 1}, {1, 1}, {1}}, {}, with_bias);
  row("linear", "no rows", {{0, 3}, {2, 3}, {2}}, {}, with_bias);
  row("linear", "no inputs", {{3, 0}, {2, 0}, {2}}, {}, with_bias);
  row("linear", "one weight used twice", {{2, 3}, {3, 3}, {3}}, {{65, 131}, {131, 131}, {131}},
      [](Inputs x) { return linear(linear(x[0], x[1], x[2]), x[1], x[2]); });
  row("linear", "x is its own weight", {{3, 2}}, {{131, 67}}, [](Inputs x) { return linear(x[0], x[0], {}); });

  for (const ScalarFunction f : {ScalarFunction::relu, ScalarFunction::tanh, ScalarFunction::sigmoid,
                                 ScalarFunction::hard_tanh, ScalarFunction::gelu}) {
    // What cannot be fused is recorded as linear and scalar.
    const char* operation = info(f).uses_output ? "linear_scalar" : "linear";
    const std::string detail(info(f).name);
    row(operation, detail.c_str(), {{4, 3}, {2, 3}, {2}}, {{129, 57}, {131, 57}, {131}},
        [f](Inputs x) { return linear(x[0], x[1], x[2], f); });
  }
  row("linear_scalar", "relu, no bias, leading axes", {{2, 2, 3}, {2, 3}}, {{3, 43, 257}, {131, 257}},
      [](Inputs x) { return linear(x[0], x[1], {}, ScalarFunction::relu); });
  row("linear_scalar", "tanh, one weight used twice", {{2, 3}, {3, 3}, {3}}, {{65, 131}, {131, 131}, {131}},
      [](Inputs x) {
        const Variable h = linear(scale(0.1, x[0]), x[1], x[2], ScalarFunction::tanh);
        return linear(h, x[1], x[2], ScalarFunction::tanh);
      });

  for (const Transpose op_a : {Transpose::no, Transpose::yes})
    for (const Transpose op_b : {Transpose::no, Transpose::yes}) add_matmul(rows, op_a, op_b);
  rows.push_back(
      {.operation = "matmul", .detail = "x x^T", .small = {{2, 3}}, .large = {{131, 257}}, .call = [](Inputs x) {
         return matmul(Transpose::no, x[0], Transpose::yes, x[0]);
       }});
  return rows;
}

}  // namespace rz::test
