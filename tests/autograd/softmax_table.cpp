#include "support/op_table.h"

namespace rz::test {
namespace {

// 0, 1, ... over and over; every third is -100 when some are to be ignored.
Tensor labels_for(const Variable& logits, bool ignore_some) {
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < logits.shape()[0]; ++i)
    labels.push_back(ignore_some && i % 3 == 1 ? -100 : i % logits.shape()[1]);
  return Tensor::of_integers(logits.shape().without(1), labels, DType::i64, logits.value().device());
}

}  // namespace

std::vector<OpRow> softmax_rows() {
  std::vector<OpRow> rows;
  const auto row = [&](const char* operation, const char* detail, const Shape& small, std::vector<Shape> large,
                       auto call) {
    rows.push_back({.operation = operation,
                    .detail = detail,
                    .small = {small},
                    .large = std::move(large),
                    .call = std::move(call)});
  };
  row("divide", "softmax", {2, 3}, {{67, 517}}, [](Inputs x) { return softmax(x[0]); });
  row("divide", "softmax of large numbers", {2, 2, 3}, {{7, 19, 517}},
      [](Inputs x) { return softmax(add(x[0], constant_like(x[0], {1}, 1000))); });
  row("divide", "softmax of one class", {3, 1}, {}, [](Inputs x) { return softmax(x[0]); });

  const auto loss = [](double label_smoothing, bool ignore_some) {
    return [=](Inputs x) {
      return softmax_cross_entropy(x[0], labels_for(x[0], ignore_some), {.label_smoothing = label_smoothing});
    };
  };
  row("softmax_cross_entropy", "", {3, 4}, {{1031, 67}}, loss(0, false));
  row("softmax_cross_entropy", "ignored labels", {5, 3}, {{1031, 67}}, loss(0, true));
  row("softmax_cross_entropy", "label smoothing", {3, 4}, {{1031, 67}}, loss(0.1, false));
  row("softmax_cross_entropy", "label smoothing and ignored labels", {5, 3}, {{1031, 67}}, loss(0.3, true));
  row("softmax_cross_entropy", "nothing but smoothing", {2, 3}, {}, loss(1, false));
  row("softmax_cross_entropy", "one row", {1, 5}, {{1, 40009}}, loss(0, false));
  row("softmax_cross_entropy", "one class", {3, 1}, {}, loss(0, false));
  row("softmax_cross_entropy", "another ignored label", {4, 3}, {},
      [](Inputs x) { return softmax_cross_entropy(x[0], integers_like(x[0], {2, 1, 2, 0}), {.ignored_label = 2}); });
  row("softmax_cross_entropy", "a part's share of a batch of 7", {5, 3}, {}, [=](Inputs x) {
    const Tensor count = Tensor::full({}, 7, x[0].dtype(), x[0].value().device());
    return softmax_cross_entropy(x[0], labels_for(x[0], true), {}, count);
  });
  return rows;
}

}  // namespace rz::test
