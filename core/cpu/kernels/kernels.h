// The kernels of one instruction set: tables of plain functions on raw memory, filled once per variant (baseline, avx2,
// avx512). They know nothing of threads: the files of core/cpu cut the work into pieces and call a kernel for each.
// Arrays of two are indexed by real type: 0 is f32, 1 is f64. Extents and strides count elements. `accumulate` adds to
// what is there.
#pragma once

#include <cstdint>

namespace rz::cpu {

inline constexpr int real_types = 2, all_types = 6;  // all_types: in the order of DType

struct ScalarKernel {  // of one scalar function f with parameter p
  // y = f(x), f'(x), f''(x)
  void (*value[3][real_types])(const void* x, void* y, std::int64_t n, double p, bool accumulate);
  // d_x = f'(kept) d_y; kept is y or x, as the function's uses_output says
  void (*vjp[real_types])(const void* kept, const void* d_y, void* d_x, std::int64_t n, double p, bool accumulate);
  // y = f(y + bias) in place on a block [rows, columns] of a matrix whose rows are `stride` apart; bias [columns] may
  // be null
  void (*epilogue[real_types])(void* y, std::int64_t rows, std::int64_t columns, std::int64_t stride, const void* bias,
                               double p);
};

struct BinaryBlock {  // y [rows, columns], rows `y_row` apart; a and b with any strides, 0 repeats
  std::int64_t rows, columns, y_row;
  std::int64_t a_row, a_column, b_row, b_column;
};

struct ElementwiseKernels {
  void (*binary[5][real_types])(const BinaryBlock& block, const void* a, const void* b, void* y, bool accumulate);
  void (*scale[real_types])(double a, const void* x, void* y, std::int64_t n, bool accumulate);
  void (*fill[all_types])(double value, void* y, std::int64_t n, bool accumulate);
  void (*convert[all_types][all_types])(const void* x, void* y, std::int64_t n, bool accumulate);  // [from][to]
};

struct ReduceKernels {  // [operation: sum, max]; results in f64
  // y[r] = sum or max over the row r of x, rows `stride` apart
  void (*rows[2][real_types])(const void* x, std::int64_t rows, std::int64_t columns, std::int64_t stride, double* y);
  // y[c] = sum or max over the column c of x, rows `stride` apart
  void (*columns[2][real_types])(const void* x, std::int64_t rows, std::int64_t columns, std::int64_t stride,
                                 double* y);
  double (*sum_of_squares[real_types])(const void* x, std::int64_t n);
  void (*scale_wide[real_types])(double a, const void* x, void* y, std::int64_t n);  // y = a x, multiplied in f64
  void (*argmax_rows[real_types])(const void* x, std::int64_t rows, std::int64_t columns, std::int64_t* y);
};

struct MoveKernels {
  // y[c, r] = x[r, c], rows of x and of y so many elements apart; by size of the element: 1, 2, 4, 8 bytes
  void (*transpose[4])(const void* x, std::int64_t x_row, void* y, std::int64_t y_row, std::int64_t rows,
                       std::int64_t columns);
  void (*transpose_add[real_types])(const void* x, std::int64_t x_row, void* y, std::int64_t y_row, std::int64_t rows,
                                    std::int64_t columns);
};

struct CrossEntropyBlock {     // rows of logits
  const void* logits;          // [rows, classes]
  const std::int64_t* labels;  // [rows]
  void *losses, *counted;      // [rows]
  void* d_logits;              // [rows, classes] or null
  std::int64_t rows, classes, ignored_label;
  double label_smoothing;
  bool accumulate_losses, accumulate_counted, accumulate_gradient;
};

struct NormBlock {  // rows of x [rows, columns]; mean and bias are null in a norm about 0
  const void *x, *gain, *bias;
  void *y, *mean, *inverse_deviation;
  std::int64_t rows, columns;
  double eps;
  bool accumulate;  // y; the two statistics are overwritten
};

struct NormVjpBlock {
  const void *x, *gain, *mean, *inverse_deviation, *d_y;  // mean may be null
  void* d_x;                                              // or null
  double *d_gain, *d_bias;  // [columns], overwritten with the sums over these rows; null: both, or d_bias alone
  std::int64_t rows, columns;
  bool accumulate;  // d_x
};

struct SoftmaxKernels {
  void (*cross_entropy[real_types])(const CrossEntropyBlock& block);
};

struct NormKernels {
  void (*norm[real_types])(const NormBlock& block);
  void (*vjp[real_types])(const NormVjpBlock& block);
};

struct RandomBlock {
  std::uint64_t seed, stream, step;
  std::int64_t first, n;  // elements [first, first + n) of the array; first is a multiple of 4
};

struct RandomKernels {  // y points at element `first`
  void (*uniform[real_types])(const RandomBlock& block, void* y, bool accumulate);
  void (*dropout_mask[real_types])(const RandomBlock& block, double p, void* y, bool accumulate);
};

struct UpdateBlock {  // a range of flat parameters; which members a rule reads stands at its kernel
  const void* gradient;
  void* value;
  void *slot, *second;  // momentum, mean, sum of squares or mean square, or null; Adam: the mean square
  void* direction;
  std::int64_t n;
  double rate, gradient_scale, weight_decay, momentum, beta1, beta2, eps;
  double mean_correction, square_correction;  // 1 / (1 - beta^step)
  double factor;                              // of the direction
  bool nesterov, decoupled;
};

struct OptimizerKernels {
  void (*sgd[real_types])(const UpdateBlock& block);
  void (*adagrad[real_types])(const UpdateBlock& block);
  void (*rmsprop[real_types])(const UpdateBlock& block);
  void (*adam[real_types])(const UpdateBlock& block);
  void (*lamb_direction[real_types])(const UpdateBlock& block);
  void (*lion[real_types])(const UpdateBlock& block);
  void (*momentum_direction[real_types])(const UpdateBlock& block);
  void (*descend[real_types])(const UpdateBlock& block);
  void (*moving_average[real_types])(const void* value, void* average, std::int64_t n, double decay);
};

struct ResidualKernels {
  void (*add[real_types])(const void* x, const void* f, double gate, void* y, std::int64_t n, bool accumulate);
  // d_f = gate d_y (d_f may be null); returns <d_y, f>
  double (*vjp[real_types])(const void* f, const void* d_y, double gate, void* d_f, std::int64_t n, bool accumulate);
  // row indices[i] of y [any, columns] += scales[i] (row i of x [rows, columns])
  void (*add_rows[real_types])(const void* x, const void* scales, const std::int64_t* indices, std::int64_t rows,
                               std::int64_t columns, void* y);
};

struct PackBlock {  // b [k, columns], or its transpose [columns, k], rows b_row apart
  const void* b;
  std::int64_t b_row, k, columns;
  bool transposed;
  std::int64_t panel_stride;  // numbers from one panel to the next: width k, or more where these are some of k rows
};

struct GemmBlock {  // c [rows, columns] = op(a) b, + c if accumulate, + row_start[r] if given.   op(a) [rows, k]
  const void *a, *panels, *row_start;
  const std::int64_t* a_rows;  // or null: row r of op(a) = a is a's row a_rows[r]
  void* c;
  std::int64_t a_row, c_row, c_panel;  // c_panel: elements from one panel of c to the next, its width if c is row-major
  std::int64_t rows, columns, k;
  bool a_transposed, accumulate;
};

struct GemmKernels {               // all null where OpenBLAS is as fast
  std::int64_t width[real_types];  // columns of a panel
  std::int64_t step[real_types];   // k of a panel is rounded up to a multiple of it; above 1 to an odd one, so that
                                   // panels never lie a power of two apart
  std::int64_t bytes[real_types];  // of a number of b in a panel
  // panels [ceil(columns / width), k, width] = scale b, zeros beyond the last column; the order is the kernels' own
  void (*pack[real_types])(const PackBlock& block, double scale, void* panels);
  void (*multiply[real_types])(const GemmBlock& block);
};

// Scores of a panel: a row per key, a lane per query, as many lanes as gemm's panels are wide.
struct AttentionSoftmaxBlock {
  void* scores;         // [keys, width]
  void *largest, *sum;  // [width], of the keys so far: their largest score, and the sum of e^(score - largest)
  void* y;              // [head, width]
  std::int64_t keys, head;
};
struct AttentionVjpBlock {
  void* weights;     // [keys, width], rows `row` apart
  void* d_weights;   // [keys, width]
  const void* dots;  // [width], <d_y, y> of each query
  std::int64_t row, keys;
  double scale;
};

struct AttentionKernels {  // all null where gemm's are
  // -inf for keys that a lane does not see: row j and lane l with l < j - diagonal. Rows `row` apart.
  void (*hide[real_types])(void* scores, std::int64_t row, std::int64_t keys, std::int64_t diagonal);
  // scores = e^(scores - largest), with largest and sum brought up to date, and y scaled to the new largest
  void (*softmax[real_types])(const AttentionSoftmaxBlock& block);
  // y /= sum, log_sum_exp = largest + log(sum)
  void (*finish[real_types])(const AttentionSoftmaxBlock& block, void* log_sum_exp);
  // scores = e^(scores - log_sum_exp), rows `row` apart
  void (*weights[real_types])(void* scores, std::int64_t row, std::int64_t keys, const void* log_sum_exp);
  // weights = d_weights = scale weights (d_weights - dots): the gradient of the scores before they were scaled
  void (*vjp[real_types])(const AttentionVjpBlock& block);
};

// Outputs [rows, pixels, channels] of a convolution, from an image with its border (kernels/convolution.cpp).
struct ConvolutionBlock {
  const void* x;       // the first number under the first output's window
  const void* panels;  // of weights: [ceil(channels / width)][kernel_rows, run][width], zeros beyond the last channel;
                       // width is one vector up to so many channels, else two
  void* y;
  std::int64_t rows, pixels, channels;
  std::int64_t kernel_rows, run;       // rows of a window, and numbers in one, side by side
  std::int64_t x_row, x_down, x_step;  // elements from one row of a window, of outputs, from one output to the next
  bool accumulate;
};

struct ConvolutionKernels {        // all null where gemm's are
  std::int64_t lanes[real_types];  // of a vector
  void (*forward[real_types])(const ConvolutionBlock& block);
  // d_w [channels, kernel_rows, padded] += the gradient of these outputs, of whose block y and panels are not used;
  // padded: the run in whole vectors. x is read to its end.
  void (*weights[real_types])(const ConvolutionBlock& block, const void* d_y, void* d_w, std::int64_t padded);
};

struct ColumnsBlock {  // x [rows, columns]; per column (x - mean) factor + bias, in x's type
  const void *x, *mean, *factor, *bias;
  std::int64_t rows, columns;
};

struct BatchNormKernels {
  // mean [columns], and the sums of squares about it
  void (*moments[real_types])(const void* x, std::int64_t rows, std::int64_t columns, double* mean, double* squares);
  // The other functions have two forms, the second with relu behind; z = (x - mean) factor + bias comes before it.
  void (*normalise[real_types][2])(const ColumnsBlock& block, void* y);
  // With d the gradient for z: per column the sums of d, and of d (x - mean)
  void (*vjp_sums[real_types][2])(const ColumnsBlock& block, const void* d_y, double* sums, double* sums_x);
  // d_x = factor d + slope (x - mean) + start
  void (*vjp[real_types][2])(const ColumnsBlock& block, const void* d_y, const void* slope, const void* start,
                             void* d_x, bool accumulate);
};

struct Kernels {
  const char* name;            // of the instruction set, as REZERO_ISA spells it
  const ScalarKernel* scalar;  // by ScalarFunction
  const ElementwiseKernels* elementwise;
  const ReduceKernels* reduce;
  const MoveKernels* move;
  const SoftmaxKernels* softmax;
  const NormKernels* norm;
  const RandomKernels* random;
  const OptimizerKernels* optimizer;
  const ResidualKernels* residual;
  const GemmKernels* gemm;
  const AttentionKernels* attention;
  const ConvolutionKernels* convolution;
  const BatchNormKernels* batch_norm;
};

extern const Kernels kernels_baseline, kernels_avx2, kernels_avx512;

// Products of f32 matrices from bf16 parts (kernels/bf16), without f64 and without `a_rows`.
extern const GemmKernels gemm_avx512_bf16;  // one part
extern const GemmKernels gemm_amx[3];       // one, two, three

}  // namespace rz::cpu
