#include <cmath>

#include "support/op_table.h"

namespace rz::test {
namespace {

bool needs_positive(ScalarFunction f) {
  return f == ScalarFunction::log || f == ScalarFunction::sqrt || f == ScalarFunction::reciprocal;
}

void add_scalar(std::vector<OpRow>& rows, Scalar f, const std::string& detail) {
  const ScalarInfo& about = info(f.function);
  OpRow row{.operation = "scalar", .detail = detail, .small = {{2, 5}}, .large = {{67, 517}}};
  row.positive = needs_positive(f.function);
  row.kinks.assign(about.kinks.begin(), about.kinks.end());
  row.call = [f](Inputs x) { return scalar(f, x[0]); };
  rows.push_back(row);
  row.operation = "scalar_derivative";
  row.call = [f](Inputs x) { return scalar_derivative(f, x[0]); };
  row.second_order = false;  // would be a third derivative
  rows.push_back(row);
}

using BinaryFunction = Variable (*)(const Variable&, const Variable&);

void add_binary(std::vector<OpRow>& rows, const std::string& operation, BinaryFunction f, bool positive) {
  const auto row = [&](const char* detail, std::vector<Shape> small, std::vector<Shape> large) {
    rows.push_back({.operation = operation,
                    .detail = detail,
                    .small = std::move(small),
                    .large = std::move(large),
                    .call = [f](Inputs x) { return f(x[0], x[1]); },
                    .positive = positive});
  };
  row("one shape", {{2, 3}, {2, 3}}, {{67, 517}, {67, 517}});
  row("rows", {{2, 3}, {3}}, {{67, 517}, {517}});
  row("a row first", {{3}, {2, 3}}, {{517}, {67, 517}});
  row("columns", {{2, 3}, {2, 1}}, {{67, 517}, {67, 1}});
  row("outer", {{2, 1}, {1, 3}}, {{67, 1}, {1, 517}});
  row("crossed", {{2, 1, 3}, {4, 1}}, {{7, 1, 517}, {19, 1}});
  row("middle", {{2, 3, 2}, {1, 3, 1}}, {{7, 67, 131}, {1, 67, 1}});
  row("a number", {{}, {2, 3}}, {{}, {67, 517}});
  row("a number second", {{2, 3}, {}}, {{67, 517}, {}});
  row("numbers", {{}, {}}, {});
  row("one element", {{1}, {1}}, {});
  row("empty", {{0, 3}, {3}}, {});
  row("empty twice", {{2, 0}, {2, 1}}, {});
  rows.push_back({.operation = operation,
                  .detail = "the same variable twice",
                  .small = {{2, 3}},
                  .large = {{67, 517}},
                  .call = [f](Inputs x) { return f(x[0], x[0]); },
                  .positive = positive});
}

}  // namespace

std::vector<OpRow> elementwise_rows() {
  std::vector<OpRow> rows;
  add_binary(rows, "add", add, false);
  add_binary(rows, "subtract", subtract, false);
  add_binary(rows, "multiply", multiply, false);
  add_binary(rows, "divide", divide, true);
  const auto scaled = [](Inputs x) { return scale(-2.5, x[0]); };
  rows.push_back({.operation = "scale", .detail = "", .small = {{2, 3}}, .large = {{67, 517}}, .call = scaled});
  rows.push_back({.operation = "scale", .detail = "empty", .small = {{0}}, .large = {}, .call = scaled});
#define RZ_ROW(name, type) add_scalar(rows, ScalarFunction::name, #name);
  RZ_SCALAR_FUNCTIONS(RZ_ROW)
#undef RZ_ROW
  add_scalar(rows, {ScalarFunction::leaky_relu, 0.3}, "leaky_relu with slope 0.3");
  const auto tanh_of = [](Inputs x) { return tanh(x[0]); };
  rows.push_back({.operation = "scalar", .detail = "of a number", .small = {{}}, .large = {}, .call = tanh_of});
  rows.push_back({.operation = "scalar", .detail = "empty", .small = {{3, 0}}, .large = {}, .call = tanh_of});
  return rows;
}

}  // namespace rz::test
