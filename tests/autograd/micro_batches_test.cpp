// A batch taken in parts: losses and gradients add up to those of the whole, whatever the parts.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "autograd/ops.h"
#include "autograd/parameter.h"
#include "autograd/tape.h"
#include "core/ops.h"
#include "support/close.h"
#include "support/guarded_device.h"
#include "support/initializers.h"
#include "support/inputs.h"

using namespace rz;
using namespace rz::test;

namespace {

constexpr std::int64_t rows = 10;

struct LinearNet {
  ParameterStore store;
  Parameter weight, bias;
  explicit LinearNet(DType dtype, Device device = {}) {
    weight = store.declare("weight", {4, 3}, Role::weight, normal());
    bias = store.declare("bias", {4}, Role::bias, normal());
    store.build(1, dtype, device);
  }
};

struct Result {
  double loss;
  std::vector<double> gradients;
};

// Parts of these sizes, one after the other; one part takes the loss of whole batches.
Result in_parts(LinearNet& net, const std::vector<std::int64_t>& labels, const std::vector<std::int64_t>& sizes) {
  const Device device = net.store.device();
  const CrossEntropyOptions options{.label_smoothing = 0.1};
  const Tensor x = normal_input({rows, 3}, "x", net.store.dtype(), device);
  const Tensor all = Tensor::of_integers({rows}, labels, DType::i64, device);
  const auto counted = rows - std::ranges::count(labels, options.ignored_label);
  const Tensor count = Tensor::full({}, static_cast<double>(counted), net.store.dtype(), device);
  Result result{0, {}};
  std::int64_t first = 0;
  for (const std::int64_t size : sizes) {
    Tape tape;
    const Variable logits = linear(x.rows(first, size), net.weight, net.bias);
    const Tensor part = all.rows(first, size);
    const Variable loss = sizes.size() == 1 ? softmax_cross_entropy(logits, part, options)
                                            : softmax_cross_entropy(logits, part, options, count);
    tape.backward(loss, first > 0);
    result.loss += loss.item();
    first += size;
  }
  result.gradients = net.store.gradients().to_vector();
  return result;
}

}  // namespace

TEST_SUITE("autograd/micro_batches") {
  TEST_CASE("micro-batches: parts weigh by the rows that count, also where a part has none") {
    for (const DType dtype : {DType::f64, DType::f32}) {
      LinearNet net(dtype);
      const double tolerance = dtype == DType::f64 ? 1e-15 : 1e-6;
      for (const std::vector<std::int64_t>& labels :
           {std::vector<std::int64_t>{0, 1, 2, 3, 0, 1, 2, 3, 0, 1},
            std::vector<std::int64_t>{-100, -100, -100, 3, 0, -100, 2, 3, -100, 1}}) {
        const Result whole = in_parts(net, labels, {rows});
        for (const std::vector<std::int64_t>& sizes : {std::vector<std::int64_t>{5, 5},
                                                       {3, 7},
                                                       {4, 3, 3},
                                                       {2, 1, 1, 6},
                                                       {9, 1},
                                                       std::vector<std::int64_t>(10, 1)}) {
          const Result parts = in_parts(net, labels, sizes);
          CHECK(close(parts.loss, whole.loss, 4 * tolerance));
          CHECK(close(parts.gradients, whole.gradients, tolerance));
        }
      }
    }
  }

  TEST_CASE("micro-batches: on a device whose memory the host cannot touch") {
    const std::vector<std::int64_t> labels{-100, 1, 2, 3, 0, -100, 2, 3, -100, 1};
    LinearNet host(DType::f32), device(DType::f32, use_guarded_device());
    const Result a = in_parts(host, labels, {4, 6}), b = in_parts(device, labels, {4, 6});
    CHECK(a.gradients == b.gradients);
    const Tensor all = Tensor::of_integers({rows}, labels);
    CHECK(mentions(message_of(ErrorCode::shape,
                              [&] { softmax_cross_entropy(Tensor::zeros({rows, 4}), all, {}, Tensor::zeros({2})); }),
                   {"softmax_cross_entropy", "[2]", "one number"}));
  }
}
