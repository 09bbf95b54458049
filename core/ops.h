// Tensor functions without gradients: they check shapes, allocate the result and call the tensor's backend. The
// overloads that take a Destination write there. All tensors of a call are on one device.   Throws: shape, dtype,
// device, each naming the function and what it was given.
#pragma once

#include <cstdint>
#include <span>

#include "core/backend.h"
#include "core/tensor.h"

namespace rz {

// What attention is given besides q, k and v; each may be undefined. Masks have q's dtype and are added to the scores:
// -inf hides a key.
struct AttentionMasks {
  Tensor mask;      // [tq, tk]
  Tensor key_mask;  // [batch, tk]
  Tensor state;     // the StepState's, of the dropout
};

}  // namespace rz

namespace rz::ops {

// Elementwise
void fill(const Tensor& y, double value);
Tensor scale(double a, const Tensor& x);
void scale(double a, const Tensor& x, const Destination& y);
void add_to(const Tensor& x, const Destination& y);                  // y = x, or y += x when it accumulates
Tensor scalar(Scalar f, int order, const Tensor& x);                 // f, f', f''
Tensor scalar_vjp(Scalar f, const Tensor& kept, const Tensor& d_y);  // f'(.) d_y; kept is y or x (info(f).uses_output)
void scalar_vjp(Scalar f, const Tensor& kept, const Tensor& d_y, const Destination& d_x);
Tensor binary(Binary op, const Tensor& a, const Tensor& b);  // NumPy's broadcasting
void binary(Binary op, const Tensor& a, const Tensor& b,
            const Destination& y);  // y may be larger: a op b is broadcast to it
void broadcast_to(const Tensor& x, const Destination& y);
inline Tensor add(const Tensor& a, const Tensor& b) { return binary(Binary::add, a, b); }
inline Tensor subtract(const Tensor& a, const Tensor& b) { return binary(Binary::subtract, a, b); }
inline Tensor multiply(const Tensor& a, const Tensor& b) { return binary(Binary::multiply, a, b); }
inline Tensor divide(const Tensor& a, const Tensor& b) { return binary(Binary::divide, a, b); }
Shape broadcast(const Shape& a, const Shape& b, const char* operation);

// Reductions
Tensor reduce(Reduction op, const Tensor& x, std::span<const int> axes, bool keep_axes = false);
Tensor sum(const Tensor& x);                         // all elements -> scalar
void sum_to(const Tensor& x, const Destination& y);  // the transpose of broadcasting y's shape to x's
Tensor argmax_rows(const Tensor& x);                 // [rows, columns] -> i64 [rows]; -1 for a row with a NaN
Tensor sum_of_squares(const Tensor& x);              // f64 [1]
Tensor normalise(const Tensor& x);                   // x / ||x||; 0 for 0

// Moving data
Tensor permute(const Tensor& x, std::span<const int> axes);
void permute(const Tensor& x, std::span<const int> axes, const Destination& y);
void copy_block(const Tensor& x, const Shape& x_origin, const Destination& y, const Shape& y_origin,
                const Shape& extent);
Tensor slice(const Tensor& x, int axis, std::int64_t first, std::int64_t count);
Tensor pad(const Tensor& x, int axis, std::int64_t before, std::int64_t after);  // with zeros
Tensor concat(std::span<const Tensor> parts, int axis);
Tensor gather_rows(const Tensor& table, const Tensor& indices);  // table [n, ...], indices i64 [k] -> [k, ...]
// x [..., n], indices i64 [k] -> [..., k]; zeros where the index is -1
Tensor gather_columns(const Tensor& x, const Tensor& indices);
void gather_columns(const Tensor& x, const Tensor& indices, const Destination& y);
void scatter_add_rows(const Tensor& d_y, const Tensor& indices, const Tensor& d_table);
Tensor repeat(const Tensor& x, std::int64_t count);  // [count, shape of x]

// Products.   op(a) [m, k] op(b) [k, n] -> [m, n]; either may have a leading batch.
Tensor gemm(Transpose op_a, const Tensor& a, Transpose op_b, const Tensor& b, double alpha = 1);
void gemm(Transpose op_a, const Tensor& a, Transpose op_b, const Tensor& b, const Destination& c, double alpha = 1);
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias,
              Scalar f = ScalarFunction::identity);  // x [..., in]; bias may be undefined

// Losses and norms
struct CrossEntropy {
  Tensor losses;    // [rows], nats
  Tensor counted;   // [rows], 1, or 0 where ignored
  Tensor d_logits;  // [rows, classes]: softmax - target
};
CrossEntropy softmax_cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options,
                                   bool with_gradient);
struct LayerNorm {
  Tensor y, mean, inverse_deviation;
};
LayerNorm layer_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, double eps);
// Destinations without a tensor are not computed.
void layer_norm_vjp(const Tensor& x, const Tensor& gain, const LayerNorm& forward, const Tensor& d_y,
                    const Destination& d_x, const Destination& d_gain, const Destination& d_bias);
struct RmsNorm {
  Tensor y, inverse_rms;
};
RmsNorm rms_norm(const Tensor& x, const Tensor& gain, double eps);
void rms_norm_vjp(const Tensor& x, const Tensor& gain, const Tensor& inverse_rms, const Tensor& d_y,
                  const Destination& d_x, const Destination& d_gain);

// Convolutions. x [n, height, width, channels].   Throws also: shape (a window larger than the image with its border).
Tensor unfold(const Tensor& x, const Window& window);  // [n, places, places, window.size(), channels]
void fold(const Tensor& d_y, const Window& window, const Destination& d_x);
Tensor largest_in_windows(const Tensor& x, const Window& window);  // i64 [n, places, places, channels]
// weight [out, channels, kernel, kernel] -> [n, places, places, out]
Tensor conv2d(const Tensor& x, const Tensor& weight, const Window& window);
void conv2d_vjp(const Tensor& x, const Tensor& weight, const Window& window, const Tensor& d_y, const Destination& d_x,
                const Destination& d_weight);
struct BatchNorm {
  Tensor y, mean, variance;  // of the columns; biased
};
BatchNorm batch_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, const BatchNormOptions& options);
void batch_norm_vjp(const Tensor& x, const Tensor& gain, const Tensor& bias, const BatchNorm& forward,
                    const BatchNormOptions& options, const Tensor& d_y, const Destination& d_x,
                    const Destination& d_gain, const Destination& d_bias);

// Attention. q, k and v are `width` columns each of x [batch, tokens, any] from `column` on; some may share one tensor.
struct HeadsTensor {
  Tensor x;
  std::int64_t column = 0;
};
struct HeadsDestination {
  Destination x;
  std::int64_t column = 0;
};
struct AttentionTensors {
  HeadsTensor q, k, v;
  AttentionOptions options;
  AttentionMasks masks;
};
struct AttentionForward {
  Tensor y;            // [batch, tq, width]
  Tensor log_sum_exp;  // [batch, heads, tq], of the scores
};
struct AttentionDestinations {  // without q, or without k and v, that is not computed
  HeadsDestination q, k, v;
};
double attention_scale(const AttentionOptions& options, std::int64_t width);  // 1 / sqrt(width / heads) unless given
AttentionForward attention(const AttentionTensors& a, std::int64_t width);
void attention_vjp(const AttentionTensors& a, const AttentionForward& forward, const Tensor& d_y,
                   const AttentionDestinations& d);

// Random
Tensor uniform(const RandomKey& key, const Tensor& state, const Shape& shape, DType dtype);
Tensor dropout_mask(const RandomKey& key, const Tensor& state, double p, const Shape& shape, DType dtype);

// Optimisers. Value and slots are flat and written in place; rate is options.rate_factor times the state's, g = scale
// gradient + weight_decay value with the state's gradient scale, or scale gradient where the decay is decoupled. A
// scale that is not finite leaves everything as it is; an element whose divisor is 0 stays.

// m = momentum m + g;  value -= rate m, or rate (g + momentum m) with Nesterov's; without m: rate g
void sgd(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
         const Tensor& momentum);  // momentum may be undefined
// s = s + g^2;  value -= rate g / (sqrt(s) + eps)
void adagrad(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
             const Tensor& sum);
// s = beta2 s + (1 - beta2) g^2;  d = g / (sqrt(s) + eps);  m = momentum m + d;  value -= rate m; without m: rate d
void rmsprop(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
             const Tensor& mean_square, const Tensor& momentum);  // momentum may be undefined
// m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  value -= rate m' / (sqrt(v') + eps), decoupled also
// rate weight_decay value;  m' = m / (1 - beta1^step), v' = v / (1 - beta2^step), or m and v without bias correction
void adam(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
          const Tensor& mean, const Tensor& mean_square);
// One tensor; m, v, m', v' as adam's, decay decoupled:  u = m' / (sqrt(v') + eps) + weight_decay value;
// value -= rate (||value|| / ||u||) u, the ratio is 1 where a norm is 0
void lamb(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
          const Tensor& mean, const Tensor& mean_square);
// Decay decoupled.  value -= rate (sign(beta1 m + (1 - beta1) g) + weight_decay value);  m = beta2 m + (1 - beta2) g
void lion(const UpdateOptions& options, const Tensor& state, const Tensor& gradient, const Tensor& value,
          const Tensor& momentum);
// m = momentum m + scale gradient;  gives m, or scale gradient + momentum m with Nesterov's
Tensor momentum_direction(const UpdateOptions& options, const Tensor& state, const Tensor& gradient,
                          const Tensor& momentum);
// value -= rate (factor direction + weight_decay value)
void descend(const UpdateOptions& options, const Tensor& state, double factor, const Tensor& direction,
             const Tensor& value);
// average = decay average + (1 - decay) value
void moving_average(double decay, const Tensor& state, const Tensor& value, const Tensor& average);
// The state's gradient norm becomes sqrt(sum_of_squares), its gradient scale min(1, max_norm / norm), 1 for max_norm 0;
// a norm that is not finite gives NaN.
void clip_scale(const Tensor& sum_of_squares, double max_norm, const Tensor& state);

// Residual
Tensor residual_add(const Tensor& x, const Tensor& f, const Tensor& gates, std::int64_t index);
void residual_add_vjp(const Tensor& f, const Tensor& gates, std::int64_t index, const Tensor& d_y,
                      const Destination& d_f, const Destination& d_gates);

// x_{l+1} = x_l + g_l f(x_l W_l^T + b_l), x [rows, width], g_l = gates[l].
struct ResidualStackTensors {
  std::span<const Tensor> weights, biases;  // [width, width] and [width], one per layer
  Tensor gates;                             // [at least as many]
  Scalar f;
};
struct ResidualStackForward {
  Tensor y, kept;  // kept: what the vjp needs, in the backend's layout
};
struct ResidualStackDestinations {  // those without a tensor are not computed
  Destination x;
  std::span<const Destination> weights, biases;  // one per layer
  Destination gates;
};
bool fuses_residual_stack(const Tensor& rows);  // x, or t_x: one call is faster here than layer by layer
// The vjp in the precision of products (core/precision.h) of the forward pass.
ResidualStackForward residual_stack(const ResidualStackTensors& stack, const Tensor& x);
void residual_stack_vjp(const ResidualStackTensors& stack, const Tensor& kept, const Tensor& d_y,
                        const ResidualStackDestinations& d);
struct ResidualStackTangents {
  Tensor y, t_y;
};
// For x [1, width]: t_y = J t_x, t_x [k, width].
ResidualStackTangents residual_stack_jvp(const ResidualStackTensors& stack, const Tensor& x, const Tensor& t_x);

}  // namespace rz::ops
