// Mistakes in calls of core/ops.h: the message names the operation and what it was given.
#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "core/ops.h"
#include "core/step.h"
#include "support/close.h"
#include "support/guarded_device.h"

using namespace rz;
using namespace rz::test;

namespace {

Tensor zeros(const Shape& shape, DType dtype = DType::f32) { return Tensor::zeros(shape, dtype); }

template <class F>
void check_mistake(ErrorCode code, const std::vector<std::string>& parts, F&& f) {
  CHECK(mentions(message_of(code, f), parts));
}

}  // namespace

TEST_SUITE("core/ops_error") {
  TEST_CASE("ops: shapes that do not fit are named") {
    const auto shape = ErrorCode::shape;
    const Transpose no = Transpose::no, yes = Transpose::yes;
    check_mistake(shape, {"add", "[2, 3]", "[2, 4]"}, [] { ops::add(zeros({2, 3}), zeros({2, 4})); });
    check_mistake(shape, {"multiply", "[2]", "[3]"},
                  [] { ops::binary(Binary::multiply, zeros({2}), zeros({1}), {zeros({3})}); });
    check_mistake(shape, {"gemm", "[2, 3]", "[2, 3]", "3 and 2"},
                  [&] { ops::gemm(no, zeros({2, 3}), no, zeros({2, 3})); });
    check_mistake(shape, {"gemm", "[2, 3]^T", "[4, 3]", "2 and 4"},
                  [&] { ops::gemm(yes, zeros({2, 3}), no, zeros({4, 3})); });
    check_mistake(shape, {"gemm", "[2, 2, 3]", "[3, 3, 4]"},
                  [&] { ops::gemm(no, zeros({2, 2, 3}), no, zeros({3, 3, 4})); });
    check_mistake(shape, {"gemm", "[3]", "[3, 4]"}, [&] { ops::gemm(no, zeros({3}), no, zeros({3, 4})); });
    check_mistake(shape, {"gemm", "[2, 5]", "[2, 4]"},
                  [&] { ops::gemm(no, zeros({2, 3}), no, zeros({3, 4}), {zeros({2, 5})}); });
    check_mistake(shape, {"linear", "[128, 256]", "[10, 255]"},
                  [] { ops::linear(zeros({128, 256}), zeros({10, 255}), {}); });
    check_mistake(shape, {"linear", "[11]", "[10]"}, [] { ops::linear(zeros({8, 4}), zeros({10, 4}), zeros({11})); });
    check_mistake(shape, {"scale", "[2]", "[3]"}, [] { ops::scale(1, zeros({3}), {zeros({2})}); });
    check_mistake(shape, {"add_to", "[3]", "[2]"}, [] { ops::add_to(zeros({3}), {zeros({2})}); });
    check_mistake(shape, {"scalar_vjp", "[2]", "[3]"},
                  [] { ops::scalar_vjp(ScalarFunction::relu, zeros({3}), zeros({2})); });
    check_mistake(shape, {"reduce", "axis 2", "[2, 3]"},
                  [] { ops::reduce(Reduction::sum, zeros({2, 3}), std::vector{2}); });
    check_mistake(shape, {"reduce", "[0, 3]"}, [] { ops::reduce(Reduction::max, zeros({0, 3}), std::vector{0}); });
    check_mistake(shape, {"sum_to", "[3]", "[2]"}, [] { ops::sum_to(zeros({3}), {zeros({2})}); });
    check_mistake(shape, {"argmax_rows", "[3]"}, [] { ops::argmax_rows(zeros({3})); });
    check_mistake(shape, {"permute", "1 ax", "[2, 3]"}, [] { ops::permute(zeros({2, 3}), std::vector{0}); });
    check_mistake(shape, {"permute", "axis 1", "[2, 3]", "twice"},
                  [] { ops::permute(zeros({2, 3}), std::vector{1, -1}); });
    check_mistake(shape, {"slice", "[2, 3]"}, [] { ops::slice(zeros({2, 3}), 1, 2, 2); });
    check_mistake(shape, {"slice", "axis 4", "[2, 3]"}, [] { ops::slice(zeros({2, 3}), 4, 0, 1); });
    check_mistake(shape, {"copy_block", "[3, 3]", "[2, 2]"},
                  [] { ops::copy_block(zeros({3, 3}), {1, 1}, {zeros({2, 2})}, {0, 1}, {2, 2}); });
    check_mistake(shape, {"-1", "negative"},
                  [] { ops::copy_block(zeros({3, 3}), {-1, 0}, {zeros({2, 2})}, {0, 0}, {2, 2}); });
    check_mistake(shape, {"concat", "[2, 3]", "[2, 4]", "axis 0"},
                  [] { ops::concat(std::vector{zeros({2, 3}), zeros({2, 4})}, 0); });
    check_mistake(shape, {"concat"}, [] { ops::concat({}, 0); });
    check_mistake(shape, {"layer_norm", "gain", "[3]", "[4]"},
                  [] { ops::layer_norm(zeros({2, 4}), zeros({3}), zeros({4}), 1e-5); });
    check_mistake(shape, {"rms_norm", "gain", "[3]", "[4]"}, [] { ops::rms_norm(zeros({2, 4}), zeros({3}), 1e-5); });
    check_mistake(shape, {"residual_add", "[3]", "[2]"},
                  [] { ops::residual_add(zeros({2}), zeros({3}), zeros({1}), 0); });
    check_mistake(shape, {"residual_add", "gate 5", "[5]"},
                  [] { ops::residual_add(zeros({2}), zeros({2}), zeros({5}), 5); });
    check_mistake(shape, {"softmax_cross_entropy", "[4, 3]", "[5]"},
                  [] { ops::softmax_cross_entropy(zeros({4, 3}), zeros({5}, DType::i64), {}, true); });
    check_mistake(shape, {"sgd", "[3]", "[2]"}, [] { ops::sgd({}, StepState().tensor(), zeros({3}), zeros({2}), {}); });
    check_mistake(shape, {"adagrad", "[1]", "[2]"},
                  [] { ops::adagrad({}, StepState().tensor(), zeros({2}), zeros({2}), zeros({1})); });
  }

  TEST_CASE("ops: dtypes that do not fit are named") {
    const auto dtype = ErrorCode::dtype;
    const DType f64 = DType::f64, i64 = DType::i64;
    check_mistake(dtype, {"add", "f32", "f64"}, [&] { ops::add(zeros({2}), zeros({2}, f64)); });
    check_mistake(dtype, {"gemm", "f32", "f64"},
                  [&] { ops::gemm(Transpose::no, zeros({2, 2}), Transpose::no, zeros({2, 2}, f64)); });
    check_mistake(dtype, {"scalar", "i64"}, [&] { ops::scalar(ScalarFunction::relu, 0, zeros({2}, i64)); });
    check_mistake(dtype, {"reduce", "u8"}, [] { ops::reduce(Reduction::sum, zeros({2}, DType::u8), std::vector{0}); });
    check_mistake(dtype, {"gather_rows", "f32", "i64"}, [] { ops::gather_rows(zeros({2, 2}), zeros({2})); });
    check_mistake(dtype, {"gather_columns", "f32", "i64"}, [] { ops::gather_columns(zeros({2, 2}), zeros({2})); });
    check_mistake(dtype, {"uniform", "bf16"}, [] { ops::uniform({}, StepState().tensor(), {2}, DType::bf16); });
    check_mistake(dtype, {"concat"}, [&] { ops::concat(std::vector{zeros({2}), zeros({2}, f64)}, 0); });
  }

  TEST_CASE("ops: outputs and slots that do not fit are named") {
    const auto shape = ErrorCode::shape, dtype = ErrorCode::dtype;
    const Tensor x = zeros({2, 3}), gain = zeros({3}), gates = zeros({4}), state = StepState().tensor();
    const Tensor wide = zeros({2, 3}, DType::f64);
    const ops::LayerNorm kept = ops::layer_norm(x, gain, gain, 1e-5);
    check_mistake(shape, {"layer_norm_vjp", "d_y", "[3, 2]", "[2, 3]"},
                  [&] { ops::layer_norm_vjp(x, gain, kept, zeros({3, 2}), {x}, {}, {}); });
    check_mistake(shape, {"layer_norm_vjp", "d_x", "[2]", "[2, 3]"},
                  [&] { ops::layer_norm_vjp(x, gain, kept, x, {zeros({2})}, {}, {}); });
    check_mistake(shape, {"layer_norm_vjp", "d_gain", "[2]", "[3]"},
                  [&] { ops::layer_norm_vjp(x, gain, kept, x, {}, {zeros({2})}, {}); });
    check_mistake(dtype, {"layer_norm_vjp", "f32", "f64"},
                  [&] { ops::layer_norm_vjp(x, gain, kept, x, {wide}, {}, {}); });
    check_mistake(shape, {"rms_norm_vjp", "forward pass", "[3]", "[2]"},
                  [&] { ops::rms_norm_vjp(x, gain, zeros({3}), x, {x}, {}); });
    check_mistake(shape, {"rms_norm_vjp", "d_gain", "[2]", "[3]"},
                  [&] { ops::rms_norm_vjp(x, gain, zeros({2}), x, {}, {zeros({2})}); });
    check_mistake(shape, {"residual_add_vjp", "d_f", "[3]", "[2, 3]"},
                  [&] { ops::residual_add_vjp(x, gates, 0, x, {zeros({3})}, {}); });
    check_mistake(shape, {"residual_add_vjp", "d_gates", "[1]", "[4]"},
                  [&] { ops::residual_add_vjp(x, gates, 0, x, {}, {zeros({1})}); });
    check_mistake(dtype, {"scalar_vjp", "f32", "f64"}, [&] { ops::scalar_vjp(ScalarFunction::relu, x, x, {wide}); });
    check_mistake(dtype, {"sgd", "f32", "f64"}, [&] { ops::sgd({}, state, x, x, wide); });
    check_mistake(dtype, {"adagrad", "f32", "f64"}, [&] { ops::adagrad({}, state, x, x, wide); });
    check_mistake(dtype, {"sgd", "state", "f32"}, [&] { ops::sgd({}, zeros({state_slots}), x, x, {}); });
    check_mistake(shape, {"uniform", "state", "[1]", "[8]"},
                  [&] { ops::uniform({}, zeros({1}, DType::f64), {2}, DType::f32); });
    check_mistake(dtype, {"clip_scale", "f32", "f64"}, [&] { ops::clip_scale(zeros({1}), 1, state); });
  }

  TEST_CASE("ops: undefined tensors are refused") {
    const Tensor none, x = zeros({2, 2});
    check_mistake(ErrorCode::value, {"scale", "undefined"}, [&] { ops::scale(2, none); });
    check_mistake(ErrorCode::value, {"add", "undefined"}, [&] { ops::add(x, none); });
    check_mistake(ErrorCode::value, {"undefined"}, [&] { ops::sum(none); });
    check_mistake(ErrorCode::value, {"add_to", "undefined"}, [&] { ops::add_to(zeros({}), {none}); });
  }

  TEST_CASE("ops: tensors of two devices are refused") {
    const Tensor here = zeros({2, 2}), there = here.to(use_guarded_device());
    check_mistake(ErrorCode::device, {"add", "guarded", "cpu"}, [&] { ops::add(here, there); });
    check_mistake(ErrorCode::device, {"gemm"}, [&] { ops::gemm(Transpose::no, there, Transpose::no, here); });
    check_mistake(ErrorCode::device, {"scale"}, [&] { ops::scale(2, here, {there}); });
  }

  TEST_CASE("ops: a probability outside of [0, 1) is refused") {
    for (double p : {-0.1, 1.0, std::numeric_limits<double>::quiet_NaN()})
      check_mistake(ErrorCode::value, {"dropout", "[0, 1)"},
                    [p] { ops::dropout_mask({}, StepState().tensor(), p, {2}, DType::f32); });
  }
}
