// Backend: a machine's instruction set. One abstract class on raw operands; the caller gives the output.
//
// Contract of every function below, unless it says otherwise:
//   - shapes and dtypes were checked by core/ops.cpp; all real operands of a call have one dtype (f32 or f64), indices
//   are i64;
//   - memory is dense row-major and aligned to 64 bytes at the start of a block (a slice may start anywhere);
//   - `Target::accumulate` adds to the contents instead of overwriting them;
//   - a target may be the same memory as an operand of the same shape for elementwise functions, never otherwise;
//   - nothing is allocated but from the given Workspace; nothing is known of gradients;
//   - results depend on operands and instruction set alone, never on the number of threads.
// Fused functions have a default body that composes primitives: a new device works without them, and the test of an
// override is "override against default".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/device.h"
#include "core/memory.h"
#include "core/operand.h"
#include "core/precision.h"
#include "core/scalar_functions.h"
#include "core/window.h"

namespace rz {

enum class Transpose : std::uint8_t { no, yes };
enum class Binary : std::uint8_t { add, subtract, multiply, divide, maximum };
enum class Reduction : std::uint8_t { sum, max };

// Key of a random array: element i is a function of (seed, stream, step, i) alone. `step` is read from the StepState on
// the device.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
};

// Layout of a StepState: f64 values on the device that change from step to step (core/step.h).
enum StepStateSlot : int {
  state_step = 0,
  state_rate = 1,
  state_gradient_scale = 2,
  state_gradient_norm = 3,
  state_slots = 8
};

struct CrossEntropyOptions {
  double label_smoothing = 0;         // target = (1 - s) onehot + s / classes
  std::int64_t ignored_label = -100;  // rows with it count neither in the loss nor in the gradient
};

struct AttentionOptions {
  std::int64_t heads = 1;  // each of d / heads columns
  bool causal = false;     // query i sees the keys j <= i + tk - tq
  double scale = 0;        // of the scores; 0: 1 / sqrt(d / heads)
  double dropout = 0;      // p of the weights; element ((b heads + h) tq + i) tk + j of the mask of `key`
  RandomKey key{};
};
// Heads side by side: head h of x [batch, tokens, any] is the columns from `column` + h (d / heads) on.
struct HeadsOperand {
  Operand x;
  std::int64_t column = 0;
};
struct HeadsTarget {
  Target x;
  std::int64_t column = 0;
};
struct Attention {
  HeadsOperand q, k, v;      // [batch, tq, any], twice [batch, tk, any]
  Operand mask, key_mask;    // [tq, tk], [batch, tk], added to the scores; or null data
  Operand state;             // of the dropout's key; null data where there is none
  AttentionOptions options;  // scale given
};
struct AttentionGradients {
  HeadsTarget q, k, v;  // as the operands; q, or k and v, may have null data
};

// Constants of one role's parameters in an update; rates and step come from the StepState.
struct UpdateOptions {
  double rate_factor = 1;       // rate = rate_factor * state[state_rate]
  double weight_decay = 0;      // added to the gradient as weight_decay * value, or decoupled where a rule says so
  double momentum = 0;          // SGD, RMSprop, Muon
  bool nesterov = false;        // SGD, Muon
  double beta1 = 0.9;           // Adam, LAMB: of the mean; Lion: of the direction
  double beta2 = 0.999;         // Adam, LAMB, RMSprop: of the mean square; Lion: of the momentum
  double eps = 1e-10;           // added to the root
  bool decoupled = false;       // Adam: value -= rate weight_decay value in place of the addition to the gradient
  bool bias_correction = true;  // Adam, LAMB: by state[state_step], which counts from 1
};

// Normalisation of columns: f((x - mean) / sqrt(variance + eps) gain + bias), mean and biased variance those of x.
struct BatchNormOptions {
  double eps = 1e-5;
  Scalar f = ScalarFunction::identity;
};

// L residual layers of one width: x_{l+1} = x_l + g_l f(x_l W_l^T + b_l), g_l = gates[l].
struct ResidualStack {
  std::span<const Operand> weights;  // L of [width, width]
  std::span<const Operand> biases;   // L of [width]
  Operand gates;                     // [at least L]
  Scalar f;
  std::int64_t layers() const { return static_cast<std::int64_t>(weights.size()); }
};
struct ResidualStackGradients {
  Target x;                                 // [rows, width], or null data
  std::span<const Target> weights, biases;  // any may have null data
  Target gates;                             // [at least L], or null data
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Device device() const = 0;
  virtual std::string description() const = 0;  // e.g. "AMD EPYC, avx512, OpenBLAS 0.3.21 (SkylakeX)"

  // ---- memory: whole allocations for the pool, and transfers ----
  virtual void* allocate(std::size_t bytes) = 0;  // aligned to 64; null when there is none
  virtual void release(void* data, std::size_t bytes) = 0;
  virtual void upload(void* device_memory, const void* host_memory, std::size_t bytes) = 0;
  virtual void download(void* host_memory, const void* device_memory, std::size_t bytes) = 0;

  // ---- elementwise ----
  virtual void fill(double value, const Target& y) = 0;                 // any dtype
  virtual void convert(const Operand& x, const Target& y) = 0;          // any dtype to any; copies when equal
  virtual void scale(double a, const Operand& x, const Target& y) = 0;  // y = a x
  virtual void scalar(Scalar f, int order, const Operand& x,
                      const Target& y) = 0;  // y = f(x), f'(x), f''(x) for order 0, 1, 2
  // d_x = f'(.) d_y from what was kept: y if info(f).uses_output, else x.
  virtual void scalar_vjp(Scalar f, const Operand& kept, const Operand& d_y, const Target& d_x) = 0;
  // y = a op b with NumPy's broadcasting of both to y's shape (which may be larger than that of a op b).
  virtual void binary(Binary op, const Operand& a, const Operand& b, const Target& y) = 0;

  // ---- reductions ----
  // y has x's rank; axes where y's extent is 1 are reduced. Sums in f32 keep an error of order log n eps (pieces or
  // wide accumulators).
  virtual void reduce(Reduction op, const Operand& x, const Target& y, Workspace& w) = 0;
  // x [rows, columns] -> y i64 [rows], the first of equals; -1 for a row with a NaN.
  virtual void argmax_rows(const Operand& x, const Target& y) = 0;
  virtual void sum_of_squares(const Operand& x, const Target& y,
                              Workspace& w) = 0;                                // any shape -> y f64 [1], summed in f64
  virtual void normalise(const Operand& x, const Target& y, Workspace& w) = 0;  // y = x / ||x||, summed in f64; 0 for 0

  // ---- moving data (any dtype, unless it says otherwise) ----
  virtual void permute(const Operand& x, std::span<const int> axes,
                       const Target& y) = 0;  // y's axis k is x's axis axes[k]
  // Copies (or adds) a block of `extent` from x at x_origin to y at y_origin: slice, pad and concat.
  virtual void copy_block(const Operand& x, const Shape& x_origin, const Target& y, const Shape& y_origin,
                          const Shape& extent) = 0;
  virtual void gather_rows(const Operand& table, const Operand& indices,
                           const Target& y) = 0;  // y[i] = table[indices[i]]
  // y[..., j] = x[..., indices[j]], 0 where the index is -1. f32 and f64 only.
  virtual void gather_columns(const Operand& x, const Operand& indices, const Target& y) = 0;
  virtual void scatter_add_rows(const Operand& d_y, const Operand& indices,
                                const Target& d_table) = 0;  // d_table[indices[i]] += d_y[i], in order of i

  // ---- windows over images x [n, height, width, channels] (core/window.h) ----
  // y [n, places, places, window.size(), channels]: what stands in each window, row by row.
  virtual void unfold(const Operand& x, const Window& window, const Target& y) = 0;
  // Its transpose: d_x sums what stands at each pixel.
  virtual void fold(const Operand& d_y, const Window& window, const Target& d_x) = 0;
  // y i64 [n, places, places, channels]: where the largest number of each window stands among all numbers of x, the
  // first of equals; a NaN is larger than any. The border is never chosen.
  virtual void largest_in_windows(const Operand& x, const Window& window, const Target& y) = 0;

  // ---- products, in the precision that the calling thread asks for (core/precision.h) ----
  // Why it cannot be had, and what can instead; "" where it can.
  virtual std::string missing_for(ProductPrecision precision) const;
  // c = alpha op(a) op(b).   op(a): [m, k], op(b): [k, n], c: [m, n], or all with a leading batch (an operand of rank 2
  // or batch 1 serves all).
  virtual void gemm(Transpose op_a, const Operand& a, Transpose op_b, const Operand& b, double alpha, const Target& c,
                    Workspace& w) = 0;

  // ---- losses and norms ----
  // Per row of logits [rows, classes]: losses [rows] in nats (0 where ignored), counted [rows] (1, or 0 where ignored),
  // and d_logits = softmax - target (0 where ignored; not divided by rows). d_logits.data may be null. labels: i64
  // [rows]; labels outside [0, classes) that are not ignored give NaN.
  virtual void softmax_cross_entropy(const Operand& logits, const Operand& labels, const CrossEntropyOptions& options,
                                     const Target& losses, const Target& counted, const Target& d_logits) = 0;
  // y = (x - mean) * inverse_deviation * gain + bias per row, variance in two passes, biased; mean, inverse_deviation:
  // [rows], written.
  virtual void layer_norm(const Operand& x, const Operand& gain, const Operand& bias, double eps, const Target& y,
                          const Target& mean, const Target& inverse_deviation) = 0;
  // Any of d_x [rows, columns], d_gain, d_bias [columns] may have null data.
  virtual void layer_norm_vjp(const Operand& x, const Operand& gain, const Operand& mean,
                              const Operand& inverse_deviation, const Operand& d_y, const Target& d_x,
                              const Target& d_gain, const Target& d_bias, Workspace& w) = 0;
  // y = x * inverse_rms * gain per row, inverse_rms [rows] = 1 / sqrt(mean of x^2 + eps), written.
  virtual void rms_norm(const Operand& x, const Operand& gain, double eps, const Target& y,
                        const Target& inverse_rms) = 0;
  // d_x or d_gain may have null data.
  virtual void rms_norm_vjp(const Operand& x, const Operand& gain, const Operand& inverse_rms, const Operand& d_y,
                            const Target& d_x, const Target& d_gain, Workspace& w) = 0;

  // ---- random numbers: Philox 4x32-10, equal bit for bit on every device ----
  virtual void uniform(const RandomKey& key, const Operand& state,
                       const Target& y) = 0;  // [0, 1); multiples of 2^-24 (f32) or 2^-53 (f64)
  // mask = 1 / (1 - p) with probability 1 - p, else 0.
  virtual void dropout_mask(const RandomKey& key, const Operand& state, double p, const Target& mask) = 0;

  // ---- optimisers: a pass over flat memory each. A gradient scale in `state` that is not finite leaves everything as
  // it is. Below g = scale gradient + weight_decay value, or scale gradient where the decay is decoupled; an element
  // whose divisor is 0 (no gradient yet and eps = 0) does not move. ---- m = momentum m + g;  value -= rate m, or rate
  // (g + momentum m) with Nesterov's. Without memory for m: rate g.
  virtual void sgd(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
                   const Target& momentum) = 0;
  // s += g^2;  value -= rate g / (sqrt(s) + eps)
  virtual void adagrad(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
                       const Target& sum) = 0;
  // s = beta2 s + (1 - beta2) g^2;  d = g / (sqrt(s) + eps);  m = momentum m + d;  value -= rate m. Without memory for
  // m: rate d.
  virtual void rmsprop(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
                       const Target& mean_square, const Target& momentum) = 0;
  // m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  value -= rate m' / (sqrt(v') + eps), and decoupled
  // also rate weight_decay value, with m' = m / (1 - beta1^step), v' = v / (1 - beta2^step), or m, v uncorrected.
  virtual void adam(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
                    const Target& mean, const Target& mean_square) = 0;
  // One tensor: m, v, m', v' as Adam's, decay decoupled.  u = m' / (sqrt(v') + eps) + weight_decay value;
  // value -= rate ratio u with ratio = ||value|| / ||u||, 1 where either norm is 0.
  virtual void lamb(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
                    const Target& mean, const Target& mean_square, Workspace& w) = 0;
  // Decay decoupled.  value -= rate (sign(beta1 m + (1 - beta1) g) + weight_decay value) with sign(0) = 0;
  // m = beta2 m + (1 - beta2) g
  virtual void lion(const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
                    const Target& momentum) = 0;
  // Muon's first part: m = momentum m + scale gradient;  direction = m, or scale gradient + momentum m with Nesterov's.
  // A scale that is not finite gives direction 0.
  virtual void momentum_direction(const UpdateOptions& options, const Operand& state, const Operand& gradient,
                                  const Target& momentum, const Target& direction) = 0;
  // Its last part:  value -= rate (factor direction + weight_decay value)
  virtual void descend(const UpdateOptions& options, const Operand& state, double factor, const Operand& direction,
                       const Target& value) = 0;
  // average = decay average + (1 - decay) value
  virtual void moving_average(double decay, const Operand& state, const Operand& value, const Target& average) = 0;
  // state[gradient_norm] = sqrt(sum_of_squares), state[gradient_scale] = min(1, max_norm / norm); max_norm 0: no
  // clipping. NaN or inf -> scale NaN.
  virtual void clip_scale(const Operand& sum_of_squares, double max_norm, const Target& state) = 0;

  // ---- fused, with default bodies ----
  // y = f(x W^T + bias).   x [rows, in], W [out, in], bias [out] (data null: none). y must not overlap x.
  virtual void linear(const Operand& x, const Operand& weight, const Operand& bias, Scalar f, const Target& y,
                      Workspace& w);
  // y = x + g f, g = gates[index] (f64 or f32 as x).
  virtual void residual_add(const Operand& x, const Operand& f, const Operand& gates, std::int64_t index,
                            const Target& y, Workspace& w);
  // d_f = g d_y;  d_gates[index] = <d_y, f>.  Either may have null data.
  virtual void residual_add_vjp(const Operand& f, const Operand& gates, std::int64_t index, const Operand& d_y,
                                const Target& d_f, const Target& d_gates, Workspace& w);
  // Per example and head  y = softmax(scale q k^T + masks) v,  y [batch, tq, d]; 0 for a query that sees no key.
  // log_sum_exp [batch, heads, tq] of the scores is written; where no key is seen, a number that makes all weights 0.
  virtual void attention(const Attention& a, const Target& y, const Target& log_sum_exp, Workspace& w);
  virtual void attention_vjp(const Attention& a, const Operand& y, const Operand& log_sum_exp, const Operand& d_y,
                             const AttentionGradients& d, Workspace& w);
  // y [n, places, places, out] of x [n, height, width, in], weight [out, in, kernel, kernel]: no flip, as is usual.
  virtual void conv2d(const Operand& x, const Operand& weight, const Window& window, const Target& y, Workspace& w);
  // d_x or d_weight may have null data.
  virtual void conv2d_vjp(const Operand& x, const Operand& weight, const Window& window, const Operand& d_y,
                          const Target& d_x, const Target& d_weight, Workspace& w);
  // x, y [rows, columns]; gain, bias, mean, variance [columns]. y, mean and variance are overwritten.
  virtual void batch_norm(const Operand& x, const Operand& gain, const Operand& bias, const BatchNormOptions& options,
                          const Target& y, const Target& mean, const Target& variance, Workspace& w);
  // Any of d_x [rows, columns], d_gain, d_bias [columns] may have null data.
  virtual void batch_norm_vjp(const Operand& x, const Operand& gain, const Operand& bias, const Operand& mean,
                              const Operand& variance, const BatchNormOptions& options, const Operand& d_y,
                              const Target& d_x, const Target& d_gain, const Target& d_bias, Workspace& w);
  // Whether the stack as one call is faster here than layer by layer: by extents alone.
  virtual bool fuses_residual_stack(std::int64_t rows, std::int64_t width, DType type) const;
  // What the vjp needs, in a layout of the backend's own.
  virtual Shape residual_stack_kept(std::int64_t rows, std::int64_t width, std::int64_t layers, DType type) const;
  // y = x_L from x = x_0 [rows, width].
  virtual void residual_stack(const Operand& x, const ResidualStack& stack, const Target& y, const Target& kept,
                              Workspace& w);
  virtual void residual_stack_vjp(const ResidualStack& stack, const Operand& kept, const Operand& d_y,
                                  const ResidualStackGradients& d, Workspace& w);
  // For x of one row: y = x_L, t_y = J t_x for k tangents t_x [k, width].
  virtual void residual_stack_jvp(const Operand& x, const ResidualStack& stack, const Operand& t_x, const Target& y,
                                  const Target& t_y, Workspace& w);
};

Backend& backend(Device device);  // Throws: device
bool has_device(Device device);
void register_backend(Device device, std::unique_ptr<Backend> backend);  // replaces and owns

std::unique_ptr<Backend> make_cpu_backend();            // core/cpu/backend.cpp
std::unique_ptr<Backend> make_cuda_backend(int index);  // core/cuda.   Throws: device, when built without CUDA
bool cuda_built();

}  // namespace rz
