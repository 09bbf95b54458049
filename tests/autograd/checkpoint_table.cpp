#include "autograd/transforms.h"
#include "support/op_table.h"

namespace rz::test {
namespace {

Variable segment(const Variable& x) { return multiply(tanh(x), sigmoid(scale(0.5, x))); }

}  // namespace

std::vector<OpRow> checkpoint_rows() {
  std::vector<OpRow> rows;
  const auto row = [&](const char* detail, const Shape& small, std::vector<Shape> large, auto call) {
    rows.push_back({.operation = "checkpoint",
                    .detail = detail,
                    .small = {small},
                    .large = std::move(large),
                    .call = std::move(call)});
  };
  row("", {2, 3}, {{131, 57}}, [](Inputs x) { return checkpoint(segment, x[0]); });
  row("a chain", {2, 3}, {{131, 57}}, [](Inputs x) { return checkpoint(segment, checkpoint(segment, sin(x[0]))); });
  row("within another", {2, 3}, {{131, 57}}, [](Inputs x) {
    return checkpoint([](const Variable& h) { return add(h, checkpoint(segment, square(h))); }, x[0]);
  });
  row("beside its input", {2, 2}, {{131, 57}}, [](Inputs x) { return multiply(x[0], checkpoint(segment, x[0])); });
  row("the identity", {2}, {}, [](Inputs x) { return checkpoint([](const Variable& h) { return h; }, x[0]); });
  row("empty", {0, 2}, {}, [](Inputs x) { return checkpoint(segment, x[0]); });
  return rows;
}

}  // namespace rz::test
