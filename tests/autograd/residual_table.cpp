#include "support/op_table.h"

namespace rz::test {

std::vector<OpRow> residual_rows() {
  std::vector<OpRow> rows;
  const auto row = [&](const char* detail, std::vector<Shape> small, std::vector<Shape> large, auto call) {
    rows.push_back({.operation = "residual_add",
                    .detail = detail,
                    .small = std::move(small),
                    .large = std::move(large),
                    .call = std::move(call),
                    .fused = true,
                    .fused_tolerance = 30});  // a gate's gradient sums over all elements
  };
  const auto gate = [](std::int64_t index) { return [=](Inputs x) { return residual_add(x[0], x[1], x[2], index); }; };
  row("", {{2, 3}, {2, 3}, {4}}, {{67, 517}, {67, 517}, {4}}, gate(2));
  row("more axes", {{2, 2, 2}, {2, 2, 2}, {2}}, {{7, 19, 517}, {7, 19, 517}, {2}}, gate(0));
  row("numbers", {{}, {}, {2}}, {}, gate(1));
  row("one element", {{1}, {1}, {1}}, {}, gate(0));
  row("empty", {{0, 3}, {0, 3}, {2}}, {}, gate(1));
  row("x is the branch too", {{2, 3}, {2}}, {{67, 517}, {2}},
      [](Inputs x) { return residual_add(x[0], x[0], x[1], 0); });
  row("the branch is the gates", {{3}, {3}}, {}, [](Inputs x) { return residual_add(x[0], x[1], x[1], 2); });
  row("one gate twice, and another", {{2, 3}, {2, 3}, {3}}, {{131, 57}, {131, 57}, {3}}, [](Inputs x) {
    const Variable once = residual_add(x[0], x[1], x[2], 0);
    return residual_add(residual_add(once, tanh(once), x[2], 0), x[1], x[2], 2);
  });
  row("a chain", {{2, 2}, {2, 2}, {3}}, {{33, 131}, {131, 131}, {3}}, [](Inputs x) {
    Variable h = x[0];
    for (std::int64_t i = 0; i < 3; ++i)
      h = residual_add(h, linear(scale(0.1, h), x[1], {}, ScalarFunction::tanh), x[2], i);
    return h;
  });
  const auto stack = [&](const char* detail, std::vector<Shape> small, std::vector<Shape> large, auto call) {
    rows.push_back({.operation = "residual_stack",
                    .detail = detail,
                    .small = std::move(small),
                    .large = std::move(large),
                    .call = std::move(call),
                    .fused = true,
                    .fused_tolerance = 100});  // sums over width and rows, layer after layer
  };
  const auto layers = [](ScalarFunction f) {
    return [=](Inputs x) {
      const std::vector<Variable> weights{scale(0.2, x[2]), scale(0.2, x[3])}, biases{x[4], x[5]};
      return residual_stack(x[0], weights, biases, x[1], f);
    };
  };
  const auto shapes = [](std::int64_t samples, std::int64_t width) {
    return std::vector<Shape>{{samples, width}, {3}, {width, width}, {width, width}, {width}, {width}};
  };
  stack("relu", shapes(17, 16), shapes(67, 131), layers(ScalarFunction::relu));
  stack("needs z", shapes(16, 17), shapes(33, 257), layers(ScalarFunction::gelu));
  stack("tanh, whole panels", shapes(32, 16), shapes(128, 256), layers(ScalarFunction::tanh));
  stack("too small to fuse", shapes(2, 3), {}, layers(ScalarFunction::tanh));
  stack("one weight twice", {{16, 16}, {2}, {16, 16}, {16}}, {}, [](Inputs x) {
    const std::vector<Variable> weights{x[2], x[2]}, biases{x[3], x[3]};
    return residual_stack(x[0], weights, biases, x[1], ScalarFunction::tanh);
  });
  return rows;
}

}  // namespace rz::test
