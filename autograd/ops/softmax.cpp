// Softmax and cross entropy.

#include "autograd/ops.h"
#include "autograd/ops/lift.h"
#include "autograd/record.h"
#include "core/error.h"
#include "core/ops.h"

namespace rz {

// softmax(x) = exp(x - m) / sum exp(x - m) over the last axis, m the largest element (a constant: it cancels)
Variable softmax(const Variable& x) {
  const int last[] = {x.shape().rank() - 1};
  const Variable shifted = exp(subtract(x, Variable(ops::reduce(Reduction::max, x.value(), last, true))));
  return divide(shifted, sum(shifted, last, true));
}

namespace {
// (1 - s) onehot + s / classes, 0 in ignored rows: softmax - (softmax - target), taken apart so that logits stay out of
// it.
Tensor target_of(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  const ops::CrossEntropy uniform =
      ops::softmax_cross_entropy(Tensor::zeros(logits.shape(), logits.dtype(), logits.device()), labels, options, true);
  const Tensor even =
      ops::scale(1.0 / static_cast<double>(logits.shape()[1]), uniform.counted).reshape({labels.shape()[0], 1});
  return ops::subtract(even, uniform.d_logits);
}
}  // namespace

// y = sum of losses / n over the rows that count, n of them unless another n is given.   d_logits = (softmax - target)
// d_y / n
//   t_y = sum of (softmax - target) t_logits / n
Variable softmax_cross_entropy(const Variable& logits, const Tensor& labels, const CrossEntropyOptions& options,
                               const Tensor& given) {
  RZ_CHECK(value, options.label_smoothing >= 0 && options.label_smoothing <= 1,
           "softmax_cross_entropy: a label smoothing of {} was given, but it must lie in [0, 1]",
           options.label_smoothing);
  RZ_CHECK(shape, !given.defined() || given.elements() == 1,
           "softmax_cross_entropy: the count of rows {} must be one number", given.shape());
  const ops::CrossEntropy result = ops::softmax_cross_entropy(
      logits.value(), labels, options, detail::wants_rule(std::initializer_list<const Variable*>{&logits}));
  const Tensor count = given.defined() ? given : ops::sum(result.counted);
  return record(
      "softmax_cross_entropy", {logits}, ops::divide(ops::sum(result.losses), count),
      [d_logits = result.d_logits, count](const Tensor& d_y, Gradients& d) {
        if (d.wanted(0)) ops::binary(Binary::multiply, d_logits, ops::divide(d_y, count), d.destination(0));
      },
      [&](const Primals& p, const Tangents& t) {
        const Tensor weight = ops::divide(result.counted, count).reshape({labels.shape()[0], 1});
        const Variable difference =
            multiply(subtract(softmax(p[0]), Variable(target_of(p[0].value(), labels, options))), Variable(weight));
        const int classes_and_rows[] = {1, 2};
        return sum(multiply(difference, t[0]), classes_and_rows);
      });
}

Variable softmax_cross_entropy(const Variable& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  return softmax_cross_entropy(logits, labels, options, Tensor());
}

}  // namespace rz
