#include "support/op_table.h"

namespace rz::test {

std::vector<OpRow> norm_rows() {
  std::vector<OpRow> rows;
  const auto norm = [](double eps) { return [=](Inputs x) { return layer_norm(x[0], x[1], x[2], eps); }; };
  const auto row = [&](const char* detail, std::vector<Shape> small, std::vector<Shape> large, auto call) {
    rows.push_back({.operation = "layer_norm",
                    .detail = detail,
                    .small = std::move(small),
                    .large = std::move(large),
                    .call = std::move(call)});
  };
  row("", {{3, 4}, {4}, {4}}, {{67, 517}, {517}, {517}}, norm(1e-5));
  row("leading axes", {{2, 2, 3}, {3}, {3}}, {{7, 19, 517}, {517}, {517}}, norm(1e-5));
  row("many short rows", {{4, 2}, {2}, {2}}, {{20011, 5}, {5}, {5}}, norm(1e-2));
  row("one row without an axis", {{4}, {4}, {4}}, {{40009}, {40009}, {40009}}, norm(0.5));
  row("one column", {{3, 1}, {1}, {1}}, {}, norm(1e-5));
  row("no rows", {{0, 3}, {3}, {3}}, {}, norm(1e-5));
  row("gain and bias are one", {{3, 4}, {4}}, {{517, 67}, {67}}, [](Inputs x) { return layer_norm(x[0], x[1], x[1]); });
  row("x is gain and bias too", {{4}}, {}, [](Inputs x) { return layer_norm(x[0], x[0], x[0]); });
  row("one norm twice", {{3, 4}, {4}, {4}}, {{517, 67}, {67}, {67}},
      [](Inputs x) { return layer_norm(layer_norm(x[0], x[1], x[2]), x[1], x[2], 1e-2); });

  const auto rms = [&](const char* detail, std::vector<Shape> small, std::vector<Shape> large, auto call) {
    rows.push_back({.operation = "rms_norm",
                    .detail = detail,
                    .small = std::move(small),
                    .large = std::move(large),
                    .call = std::move(call)});
  };
  const auto rms_of = [](double eps) { return [=](Inputs x) { return rms_norm(x[0], x[1], eps); }; };
  rms("", {{3, 4}, {4}}, {{67, 517}, {517}}, rms_of(1e-5));
  rms("leading axes", {{2, 2, 3}, {3}}, {{7, 19, 517}, {517}}, rms_of(1e-2));
  rms("many short rows", {{4, 2}, {2}}, {{20011, 5}, {5}}, rms_of(1e-2));
  rms("one row without an axis", {{4}, {4}}, {{40009}, {40009}}, rms_of(0.5));
  rms("no rows", {{0, 3}, {3}}, {}, rms_of(1e-5));
  rms("x is gain too", {{4}}, {}, [](Inputs x) { return rms_norm(x[0], x[0]); });
  return rows;
}

}  // namespace rz::test
