// Losses and norms: rows are independent of each other, pieces are groups of rows.
#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

void CpuBackend::softmax_cross_entropy(const Operand& logits, const Operand& labels, const CrossEntropyOptions& options,
                                       const Target& losses, const Target& counted, const Target& d_logits) {
  const std::int64_t rows = logits.shape[0], classes = logits.shape[1];
  const auto kernel = kernels_.softmax->cross_entropy[real_index(logits.dtype)];
  for_ranges(logits.dtype, rows, rows_per_grain(classes, grain / 4), [&](std::int64_t begin, std::int64_t end) {
    kernel({.logits = at(logits.data, begin * classes, logits.dtype),
            .labels = static_cast<const std::int64_t*>(labels.data) + begin,
            .losses = at(losses.data, begin, losses.dtype),
            .counted = at(counted.data, begin, counted.dtype),
            .d_logits = d_logits.data ? at(d_logits.data, begin * classes, logits.dtype) : nullptr,
            .rows = end - begin,
            .classes = classes,
            .ignored_label = options.ignored_label,
            .label_smoothing = options.label_smoothing,
            .accumulate_losses = losses.accumulate,
            .accumulate_counted = counted.accumulate,
            .accumulate_gradient = d_logits.accumulate});
  });
}

// mean and bias may have null data: then about 0.
void CpuBackend::norm(const Operand& x, const Operand& gain, const Operand& bias, double eps, const Target& y,
                      const Target& mean, const Target& inverse_deviation) const {
  const std::int64_t rows = x.shape.rows(), columns = x.shape.columns();
  const auto kernel = kernels_.norm->norm[real_index(x.dtype)];
  for_ranges(x.dtype, rows, rows_per_grain(columns), [&](std::int64_t begin, std::int64_t end) {
    kernel({.x = at(x.data, begin * columns, x.dtype),
            .gain = gain.data,
            .bias = bias.data,
            .y = at(y.data, begin * columns, x.dtype),
            .mean = mean.data ? at(mean.data, begin, x.dtype) : nullptr,
            .inverse_deviation = at(inverse_deviation.data, begin, x.dtype),
            .rows = end - begin,
            .columns = columns,
            .eps = eps,
            .accumulate = y.accumulate});
  });
}

// d_gain and d_bias: each piece sums over its rows into a row of its own, [2, columns] in f64; these are added in the
// order of the pieces.
void CpuBackend::norm_vjp(const Operand& x, const Operand& gain, const Operand& mean, const Operand& inverse_deviation,
                          const Operand& d_y, const Target& d_x, const Target& d_gain, const Target& d_bias,
                          Workspace& w) const {
  constexpr std::int64_t most_pieces = 256;
  const std::int64_t rows = x.shape.rows(), columns = x.shape.columns();
  const std::int64_t block = std::max(rows_per_grain(columns), ceil_div(rows, most_pieces)),
                     pieces = ceil_div(rows, block);
  const bool parameters = d_gain.data || d_bias.data;
  double* const partial = parameters ? w.array<double>(pieces * 2 * columns) : nullptr;
  const auto kernel = kernels_.norm->vjp[real_index(x.dtype)];
  for_pieces(x.dtype, pieces, [&](std::int64_t piece) {
    const std::int64_t row = piece * block;
    double* const sums = partial ? partial + piece * 2 * columns : nullptr;
    kernel({.x = at(x.data, row * columns, x.dtype),
            .gain = gain.data,
            .mean = mean.data ? at(mean.data, row, x.dtype) : nullptr,
            .inverse_deviation = at(inverse_deviation.data, row, x.dtype),
            .d_y = at(d_y.data, row * columns, x.dtype),
            .d_x = d_x.data ? at(d_x.data, row * columns, x.dtype) : nullptr,
            .d_gain = sums,
            .d_bias = sums && d_bias.data ? sums + columns : nullptr,
            .rows = std::min(block, rows - row),
            .columns = columns,
            .accumulate = d_x.accumulate});
  });
  const auto add_up = [&](const Target& target, std::int64_t first) {
    if (!target.data) return;
    for (std::int64_t c = 0; c < columns; ++c) {
      double sum = 0;
      for (std::int64_t piece = 0; piece < pieces; ++piece) sum += partial[piece * 2 * columns + first + c];
      write_real(target.data, c, target.dtype, sum, target.accumulate);
    }
  };
  add_up(d_gain, 0);
  add_up(d_bias, columns);
}

void CpuBackend::layer_norm(const Operand& x, const Operand& gain, const Operand& bias, double eps, const Target& y,
                            const Target& mean, const Target& inverse_deviation) {
  norm(x, gain, bias, eps, y, mean, inverse_deviation);
}
void CpuBackend::layer_norm_vjp(const Operand& x, const Operand& gain, const Operand& mean,
                                const Operand& inverse_deviation, const Operand& d_y, const Target& d_x,
                                const Target& d_gain, const Target& d_bias, Workspace& w) {
  norm_vjp(x, gain, mean, inverse_deviation, d_y, d_x, d_gain, d_bias, w);
}

void CpuBackend::rms_norm(const Operand& x, const Operand& gain, double eps, const Target& y,
                          const Target& inverse_rms) {
  norm(x, gain, {}, eps, y, {}, inverse_rms);
}
void CpuBackend::rms_norm_vjp(const Operand& x, const Operand& gain, const Operand& inverse_rms, const Operand& d_y,
                              const Target& d_x, const Target& d_gain, Workspace& w) {
  norm_vjp(x, gain, {}, inverse_rms, d_y, d_x, d_gain, {}, w);
}

}  // namespace rz::cpu
