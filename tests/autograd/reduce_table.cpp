#include "support/op_table.h"

namespace rz::test {

std::vector<OpRow> reduce_rows() {
  std::vector<OpRow> rows;
  const auto row = [&](const char* detail, const Shape& small, std::vector<Shape> large, auto call) {
    rows.push_back(
        {.operation = "sum", .detail = detail, .small = {small}, .large = std::move(large), .call = std::move(call)});
  };
  const auto over = [](std::vector<int> axes, bool keep) {
    return [axes = std::move(axes), keep](Inputs x) { return sum(x[0], axes, keep); };
  };
  const auto all = [](Inputs x) { return sum(x[0]); };
  row("all", {2, 3}, {{67, 517}}, all);
  row("all of a number", {}, {}, all);
  row("all of one element", {1, 1}, {}, all);
  row("all of nothing", {0, 3}, {}, all);
  row("mean", {2, 3}, {{67, 517}}, [](Inputs x) { return mean(x[0]); });
  row("rows", {3, 2}, {{517, 131}}, over({0}, false));
  row("rows of a tall matrix", {5, 1}, {{40009, 3}}, over({0}, true));
  row("columns", {3, 2}, {{67, 517}}, over({-1}, false));
  row("columns, kept", {3, 2}, {{67, 517}}, over({1}, true));
  row("the middle axis", {2, 3, 2}, {{13, 67, 131}}, over({1}, false));
  row("the outer axes, kept", {2, 3, 2}, {{13, 67, 131}}, over({0, 2}, true));
  row("the first two axes", {2, 2, 3}, {{13, 67, 131}}, over({1, 0}, false));
  row("no axis", {2, 2}, {}, over({}, false));
  row("an axis of extent 0", {2, 0}, {}, over({1}, false));
  row("an axis of extent 1", {1, 3}, {}, over({0}, true));
  return rows;
}

}  // namespace rz::test
