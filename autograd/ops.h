// The differentiable operations. Shapes in brackets; `...` is any number of leading axes. Each file in autograd/ops/
// holds value, vjp and jvp of a family in the order of derivation.   Throws: shape, dtype, device, naming the operation
// and both shapes.
#pragma once

#include <cstdint>
#include <span>

#include "autograd/variable.h"
#include "core/backend.h"
#include "core/ops.h"
#include "core/scalar_functions.h"

namespace rz {

// Elementwise, with NumPy's broadcasting                                    (ops/elementwise.cpp)
Variable add(const Variable& a, const Variable& b);
Variable subtract(const Variable& a, const Variable& b);
Variable multiply(const Variable& a, const Variable& b);
Variable divide(const Variable& a, const Variable& b);
Variable scale(double a, const Variable& x);              // a x
Variable scalar(Scalar f, const Variable& x);             // f(x)
Variable scalar_derivative(Scalar f, const Variable& x);  // f'(x), differentiable once more in reverse mode
#define RZ_DECLARE(name, type) \
  inline Variable name(const Variable& x) { return scalar(ScalarFunction::name, x); }
RZ_SCALAR_FUNCTIONS(RZ_DECLARE)  // relu(x), tanh(x), exp(x), ...
#undef RZ_DECLARE

// Products                                                                  (ops/linear.cpp)
Variable linear(const Variable& x, const Variable& weight,
                const Variable& bias);  // x W^T + b.  x [..., in], W [out, in], b [out] or undefined
Variable linear(const Variable& x, const Variable& weight, const Variable& bias,
                Scalar f);  // f(x W^T + b), one operation where f's derivative needs y alone
Variable matmul(Transpose op_a, const Variable& a, Transpose op_b,
                const Variable& b);  // op(a) [.., m, k] op(b) [.., k, n]; rank 2 or 3, batches broadcast
inline Variable matmul(const Variable& a, const Variable& b) { return matmul(Transpose::no, a, Transpose::no, b); }

// Reductions                                                                (ops/reduce.cpp)
Variable sum(const Variable& x);  // all elements -> scalar
Variable mean(const Variable& x);
Variable sum(const Variable& x, std::span<const int> axes, bool keep_axes = false);

// Shapes                                                                    (ops/shape.cpp)
Variable reshape(const Variable& x, const Shape& shape);
Variable broadcast_to(const Variable& x, const Shape& shape);
Variable permute(const Variable& x, std::span<const int> axes);
Variable slice(const Variable& x, int axis, std::int64_t first, std::int64_t count);
Variable pad(const Variable& x, int axis, std::int64_t before, std::int64_t after);
Variable concat(std::span<const Variable> parts, int axis);
Variable gather_rows(const Variable& table, const Tensor& indices);  // table[indices]: indices i64 [k]
// y [..., count] is x [..., k] with column i moved to columns[i], and 0 elsewhere. The columns must differ.
Variable spread_columns(const Variable& x, std::span<const std::int64_t> columns, std::int64_t count);

// Losses, norms                                                             (ops/softmax.cpp, ops/norm.cpp)
Variable softmax(const Variable& x);  // over the last axis
// Mean over the rows that count, in nats.   logits [rows, classes], labels i64 [rows].
Variable softmax_cross_entropy(const Variable& logits, const Tensor& labels, const CrossEntropyOptions& options = {});
// A part's share of a batch's mean: the sum over its rows that count, divided by `count`, one number of the logits'
// type on the device: the rows of the whole batch that count. Shares and their gradients add up to those of the batch.
Variable softmax_cross_entropy(const Variable& logits, const Tensor& labels, const CrossEntropyOptions& options,
                               const Tensor& count);
Variable layer_norm(const Variable& x, const Variable& gain, const Variable& bias,
                    double eps = 1e-5);  // over the last axis; gain, bias [columns]
// x / sqrt(mean of x^2 + eps) gain over the last axis; gain [columns].   Zhang, Sennrich 2019 (1910.07467), Eq. 4.
Variable rms_norm(const Variable& x, const Variable& gain, double eps = 1e-5);

// Images x [n, height, width, channels], windows over them with a border of zeros   (ops/convolution.cpp)
Variable unfold(const Variable& x, const Window& window);  // [n, places, places, window.size(), channels]
// Cross-correlation, as PyTorch's: weight [out, channels, kernel, kernel] -> [n, places, places, out].
Variable conv2d(const Variable& x, const Variable& weight, const Window& window);
// The largest of each window, the border left out; at most half of the kernel may be border.   Throws also: value
Variable max_pool(const Variable& x, const Window& window);
Variable average_pool(const Variable& x, const Window& window);  // the border counts as 0
Variable global_average_pool(const Variable& x);                 // [n, channels]
Variable subsample(const Variable& x, std::int64_t stride);      // every stride-th pixel of each side, from the first

// Batch norm                                                                (ops/batch_norm.cpp)
struct BatchStatistics {
  Tensor mean, variance;  // [columns]
};
// f((x - mean) / sqrt(variance + eps) gain + bias), mean and biased variance those of x's columns, x [..., columns].
// Rows depend on each other.   Ioffe, Szegedy 2015 (1502.03167), Algorithm 1.
Variable batch_norm(const Variable& x, const Variable& gain, const Variable& bias, const BatchNormOptions& options = {},
                    BatchStatistics* statistics = nullptr);
// The same with statistics that are given.
Variable batch_norm(const Variable& x, const Variable& gain, const Variable& bias, const BatchStatistics& statistics,
                    const BatchNormOptions& options = {});

// Attention                                                                 (ops/attention.cpp)
// softmax(scale q k^T + masks) v per example and head, over the heads side by side: head h is the columns from h d /
// heads on. A query that sees no key gives 0, and gradients of 0. Masks have no gradient.   Vaswani et al. 2017
// (1706.03762), Eq. 1.   qkv [batch, tokens, 3 d], the columns of q, k and v in this order -> [batch, tokens, d]
Variable self_attention(const Variable& qkv, const AttentionOptions& options, const AttentionMasks& masks = {});
// q [batch, tq, d], kv [batch, tk, 2 d] -> [batch, tq, d]
Variable cross_attention(const Variable& q, const Variable& kv, const AttentionOptions& options,
                         const AttentionMasks& masks = {});

// Dropout                                                                   (ops/dropout.cpp)
// x times a mask that is 1 / (1 - p) with probability 1 - p, else 0; the mask is a function of key and the step in
// `state` alone.
Variable dropout(const Variable& x, double p, const RandomKey& key, const Tensor& state);

// Residual                                                                  (ops/residual.cpp)
// x + g f with g = gates[index], gates [depth]: the gate is read by index and its gradient is written to its own
// element.   ReZero (2003.04887), Eq. 1.
Variable residual_add(const Variable& x, const Variable& f, const Variable& gates, std::int64_t index);
// x_L of x_{l+1} = x_l + g_l f(x_l W_l^T + b_l), l < L, g_l = gates[l].   x [rows, width], weights [width, width] and
// biases [width] of L layers, gates [at least L].   One operation where the machine has a faster one for all layers
// (then f(x_l W_l^T + b_l) is on no tape and has no name), else residual_add and linear of each layer.
Variable residual_stack(const Variable& x, std::span<const Variable> weights, std::span<const Variable> biases,
                        const Variable& gates, Scalar f);
// Whether it would be one for this x: a tape records and x has no tangent, or the reverse and x has one row; nobody
// watches single operations; and the backend says so.
bool fuses_residual_stack(const Variable& x);

}  // namespace rz
