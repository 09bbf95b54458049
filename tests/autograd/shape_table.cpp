#include "support/op_table.h"

namespace rz::test {
namespace {

Tensor every_third(const Variable& table, std::int64_t count) {  // some rows come several times, the last never
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(i * 3 % (table.shape()[0] - 1));
  return Tensor::of_integers({count}, indices, DType::i64, table.value().device());
}

}  // namespace

std::vector<OpRow> shape_rows() {
  std::vector<OpRow> rows;
  const auto row = [&](const char* operation, const char* detail, std::vector<Shape> small, std::vector<Shape> large,
                       auto call) {
    rows.push_back({.operation = operation,
                    .detail = detail,
                    .small = std::move(small),
                    .large = std::move(large),
                    .call = std::move(call)});
  };
  row("reshape", "", {{2, 3}}, {{67, 517}}, [](Inputs x) { return reshape(x[0], {x[0].shape()[1], x[0].shape()[0]}); });
  row("reshape", "to a number", {{1, 1}}, {}, [](Inputs x) { return reshape(x[0], {}); });
  row("reshape", "empty", {{0, 3}}, {}, [](Inputs x) { return reshape(x[0], {2, 0}); });

  row("broadcast_to", "rows", {{3}}, {{517}}, [](Inputs x) { return broadcast_to(x[0], x[0].shape().prepended(131)); });
  row("broadcast_to", "columns", {{2, 1}}, {{67, 1}},
      [](Inputs x) { return broadcast_to(x[0], {3, x[0].shape()[0], 57}); });
  row("broadcast_to", "a number", {{}}, {}, [](Inputs x) { return broadcast_to(x[0], {2, 3}); });
  row("broadcast_to", "to nothing", {{1, 2}}, {}, [](Inputs x) { return broadcast_to(x[0], {0, 2}); });

  const auto order = [](std::vector<int> axes) {
    return [axes = std::move(axes)](Inputs x) { return permute(x[0], axes); };
  };
  row("permute", "transpose", {{2, 3}}, {{67, 517}}, order({1, 0}));
  row("permute", "negative axes", {{2, 3}}, {}, order({-1, -2}));
  row("permute", "as it is", {{2, 3}}, {{67, 517}}, order({0, 1}));
  row("permute", "around", {{2, 3, 2}}, {{13, 67, 131}}, order({2, 0, 1}));
  row("permute", "within a batch", {{2, 3, 2}}, {{13, 67, 131}}, order({0, 2, 1}));
  row("permute", "heads", {{2, 2, 3, 2}}, {{5, 33, 7, 67}}, order({0, 2, 1, 3}));
  row("permute", "empty", {{2, 0, 3}}, {}, order({2, 0, 1}));

  const auto cut = [](int axis, std::int64_t first, std::int64_t count) {
    return [=](Inputs x) { return slice(x[0], axis, first, count); };
  };
  row("slice", "rows", {{4, 3}}, {{67, 517}}, cut(0, 1, 2));
  row("slice", "columns", {{2, 4}}, {{517, 131}}, cut(-1, 1, 3));
  row("slice", "the middle axis", {{2, 4, 2}}, {{13, 131, 67}}, cut(1, 1, 3));
  row("slice", "nothing", {{2, 3}}, {}, cut(1, 3, 0));
  row("slice", "all", {{2}}, {}, cut(0, 0, 2));
  row("slice", "two that overlap", {{3, 4}}, {{67, 517}},
      [](Inputs x) { return multiply(slice(x[0], 1, 0, 3), slice(x[0], 1, 1, 3)); });

  const auto padded = [](int axis, std::int64_t before, std::int64_t after) {
    return [=](Inputs x) { return pad(x[0], axis, before, after); };
  };
  row("pad", "rows", {{2, 3}}, {{67, 517}}, padded(0, 1, 2));
  row("pad", "columns", {{2, 3}}, {{67, 517}}, padded(-1, 2, 0));
  row("pad", "nothing", {{2, 3}}, {}, padded(1, 0, 0));
  row("pad", "empty", {{0, 3}}, {}, padded(0, 1, 1));

  row("concat", "three, the middle a constant", {{2, 3}, {2, 2}}, {{67, 517}, {67, 67}}, [](Inputs x) {
    const Variable parts[] = {x[0], constant_like(x[0], {x[0].shape()[0], 4}, 0.5), x[1]};
    return concat(parts, -1);
  });
  row("concat", "rows", {{2, 3}, {1, 3}}, {{67, 517}, {67, 517}}, [](Inputs x) { return concat(x, 0); });
  row("concat", "one variable three times", {{2, 2}}, {{131, 67}}, [](Inputs x) {
    const Variable parts[] = {x[0], x[0], x[0]};
    return concat(parts, 1);
  });
  row("concat", "one part, an empty one", {{2, 2}, {2, 0}}, {}, [](Inputs x) { return concat(x, 1); });

  row("gather_rows", "repeated indices", {{4, 2}}, {{517, 131}},
      [](Inputs x) { return gather_rows(x[0], every_third(x[0], 2 * x[0].shape()[0])); });
  row("gather_rows", "more axes", {{3, 2, 2}}, {{67, 13, 131}},
      [](Inputs x) { return gather_rows(x[0], every_third(x[0], 5)); });
  row("gather_rows", "numbers", {{4}}, {{40009}},
      [](Inputs x) { return gather_rows(x[0], every_third(x[0], 2 * x[0].shape()[0])); });
  row("gather_rows", "no indices", {{3, 2}}, {}, [](Inputs x) { return gather_rows(x[0], integers_like(x[0], {})); });

  row("spread_columns", "every second, in reverse", {{2, 3}}, {{67, 261}}, [](Inputs x) {
    std::vector<std::int64_t> columns;
    for (std::int64_t i = x[0].shape()[1]; i-- > 0;) columns.push_back(2 * i);
    return spread_columns(x[0], columns, 2 * x[0].shape()[1]);
  });
  row("spread_columns", "numbers", {{2}}, {},
      [](Inputs x) { return spread_columns(x[0], std::vector<std::int64_t>{3, 1}, 4); });
  row("spread_columns", "none", {{2, 0}}, {}, [](Inputs x) { return spread_columns(x[0], {}, 3); });
  return rows;
}

}  // namespace rz::test
