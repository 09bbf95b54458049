#include "support/op_table.h"

namespace rz::test {

namespace {

Window window(std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  return {.kernel = {kernel, kernel}, .stride = {stride, stride}, .padding = {padding, padding}};
}

}  // namespace

std::vector<OpRow> convolution_rows() {
  std::vector<OpRow> rows;
  const auto row = [&](const char* operation, const char* detail, std::vector<Shape> small, std::vector<Shape> large,
                       auto call) {
    rows.push_back({.operation = operation,
                    .detail = detail,
                    .small = std::move(small),
                    .large = std::move(large),
                    .call = std::move(call),
                    .fused = operation == std::string_view("conv2d")});
  };
  const auto conv = [](const Window& w) { return [w](Inputs x) { return conv2d(x[0], x[1], w); }; };
  row("conv2d", "3 x 3", {{2, 4, 3, 2}, {3, 2, 3, 3}}, {{21, 13, 11, 19}, {37, 19, 3, 3}}, conv(window(3, 1, 1)));
  row("conv2d", "the first stage's extents", {{1, 3, 4, 2}, {2, 2, 3, 3}}, {{18, 32, 32, 16}, {16, 16, 3, 3}},
      conv(window(3, 1, 1)));
  row("conv2d", "the last stage's extents", {{1, 2, 2, 3}, {2, 3, 3, 3}}, {{3, 8, 8, 64}, {64, 64, 3, 3}},
      conv(window(3, 1, 1)));
  row("conv2d", "stride 2", {{2, 5, 4, 2}, {3, 2, 3, 3}}, {{17, 16, 18, 16}, {32, 16, 3, 3}}, conv(window(3, 2, 1)));
  row("conv2d", "no padding", {{1, 4, 3, 2}, {2, 2, 3, 3}}, {{4, 31, 29, 3}, {16, 3, 3, 3}}, conv(window(3, 1, 0)));
  row("conv2d", "1 x 1, stride 2", {{2, 4, 3, 2}, {3, 2, 1, 1}}, {{5, 15, 15, 40}, {80, 40, 1, 1}},
      conv(window(1, 2, 0)));
  row("conv2d", "more border than kernel", {{1, 2, 3, 1}, {2, 1, 2, 2}}, {{3, 9, 9, 5}, {6, 5, 2, 2}},
      conv(window(2, 3, 4)));
  row("conv2d", "sides that differ", {{2, 5, 4, 2}, {2, 2, 2, 3}}, {{9, 17, 24, 7}, {11, 7, 2, 3}},
      conv({.kernel = {2, 3}, .stride = {2, 1}, .padding = {0, 2}}));
  row("conv2d", "5 x 5 of one image", {{1, 5, 5, 1}, {1, 1, 5, 5}}, {{1, 40, 40, 8}, {24, 8, 5, 5}},
      conv(window(5, 1, 2)));
  row("conv2d", "no images", {{0, 4, 4, 2}, {3, 2, 3, 3}}, {}, conv(window(3, 1, 1)));
  row("conv2d", "x is the weight too", {{2, 2, 2, 2}}, {},
      [](Inputs x) { return conv2d(x[0], x[0], window(2, 1, 1)); });
  row("conv2d", "one kernel twice", {{1, 3, 3, 2}, {2, 2, 3, 3}}, {{3, 9, 7, 20}, {20, 20, 3, 3}},
      [](Inputs x) { return conv2d(conv2d(x[0], x[1], window(3, 1, 1)), x[1], window(3, 1, 1)); });

  const auto unfolded = [](const Window& w) { return [w](Inputs x) { return unfold(x[0], w); }; };
  row("unfold", "3 x 3", {{2, 4, 3, 2}}, {{5, 33, 31, 7}}, unfolded(window(3, 1, 1)));
  row("unfold", "stride 2", {{2, 5, 4, 2}}, {{5, 33, 31, 7}}, unfolded(window(3, 2, 1)));
  row("unfold", "sides that differ, more border than kernel", {{1, 3, 4, 2}}, {{3, 33, 31, 7}},
      unfolded({.kernel = {2, 3}, .stride = {1, 2}, .padding = {3, 0}}));
  row("unfold", "average pool", {{2, 4, 5, 2}}, {{5, 33, 31, 7}},
      [](Inputs x) { return average_pool(x[0], window(2, 2, 0)); });
  row("unfold", "subsample", {{2, 4, 5, 2}}, {{5, 33, 31, 7}}, [](Inputs x) { return subsample(x[0], 2); });
  // A selection, recorded as gather_rows.
  row("gather_rows", "max pool", {{2, 4, 5, 2}}, {{3, 31, 33, 7}},
      [](Inputs x) { return max_pool(x[0], window(3, 2, 1)); });
  row("scale", "global average pool", {{2, 3, 4, 2}}, {{5, 33, 31, 7}},
      [](Inputs x) { return global_average_pool(x[0]); });
  return rows;
}

std::vector<OpRow> batch_norm_rows() {
  std::vector<OpRow> rows;
  const auto norm = [](BatchNormOptions options) {
    return [=](Inputs x) { return batch_norm(x[0], x[1], x[2], options); };
  };
  const auto row = [&](const char* detail, std::vector<Shape> small, std::vector<Shape> large, auto call,
                       double tolerance = 1e-6) {
    rows.push_back({.operation = "batch_norm",
                    .detail = detail,
                    .small = std::move(small),
                    .large = std::move(large),
                    .call = std::move(call),
                    .tolerance = tolerance,
                    .fused = true,
                    .fused_tolerance = 10});
  };
  row("", {{5, 3}, {3}, {3}}, {{2003, 19}, {19}, {19}}, norm({}));
  row("images", {{2, 2, 3, 2}, {2}, {2}}, {{9, 15, 17, 16}, {16}, {16}}, norm({.eps = 1e-2}));
  row("tanh", {{6, 3}, {3}, {3}}, {{517, 67}, {67}, {67}}, norm({.f = ScalarFunction::tanh}));
  row("silu, whose slope needs its input", {{6, 3}, {3}, {3}}, {{517, 67}, {67}, {67}},
      norm({.f = ScalarFunction::silu}));
  row("one column", {{4, 1}, {1}, {1}}, {{40009, 1}, {1}, {1}}, norm({.eps = 0.5}));
  row("one row", {{1, 3}, {3}, {3}}, {}, norm({.eps = 0.5}));
  row("an axis alone", {{4}, {4}, {4}}, {}, norm({.eps = 0.5}));
  row("gain and bias are one", {{4, 3}, {3}}, {}, [](Inputs x) { return batch_norm(x[0], x[1], x[1]); });
  row("statistics of another batch", {{4, 3}, {3}, {3}}, {{1013, 19}, {19}, {19}}, [](Inputs x) {
    BatchStatistics of_batch;
    const Variable all = batch_norm(x[0], x[1], x[2], {}, &of_batch);
    const BatchStatistics given{Tensor::full(of_batch.mean.shape(), 0.25, x[0].dtype(), x[0].value().device()),
                                Tensor::full(of_batch.mean.shape(), 1.5, x[0].dtype(), x[0].value().device())};
    return add(all, batch_norm(x[0], x[1], x[2], given, {.f = ScalarFunction::tanh}));
  });
  return rows;
}

}  // namespace rz::test
