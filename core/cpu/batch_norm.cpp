// Batch norm: pieces are groups of rows. Each keeps sums of its columns; they are put together in the order of the
// pieces, in f64.
#include <algorithm>
#include <cmath>

#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

namespace {

constexpr std::int64_t most_row_pieces = 256;

struct RowPieces {
  std::int64_t rows, columns, block;
  explicit RowPieces(const Shape& x)
      : rows(x[0]), columns(x[1]), block(std::max(rows_per_grain(columns), ceil_div(rows, most_row_pieces))) {}
  std::int64_t count() const { return ceil_div(rows, block); }
  std::int64_t first(std::int64_t piece) const { return piece * block; }
  std::int64_t size(std::int64_t piece) const { return std::min(block, rows - first(piece)); }
};

// Per column, in x's type.
struct Columns {
  void *mean, *factor, *bias;
  Columns(std::int64_t columns, DType type, Workspace& w) {
    const std::size_t bytes = (static_cast<std::size_t>(columns) * size_of(type) + 63) / 64 * 64;
    char* const all = static_cast<char*>(w.bytes(3 * bytes));
    mean = all;
    factor = all + bytes;
    bias = all + 2 * bytes;
  }
  ColumnsBlock block(const Operand& x, std::int64_t first, std::int64_t rows) const {
    return {at(x.data, first * x.shape[1], x.dtype), mean, factor, bias, rows, x.shape[1]};
  }
};

// (x - mean) gain / sqrt(variance + eps) + bias
Columns normalisation(const Operand& gain, const Operand& bias, const void* mean, const void* variance, double eps,
                      Workspace& w) {
  const DType type = gain.dtype;
  const Columns columns(gain.shape[0], type, w);
  for (std::int64_t c = 0; c < gain.shape[0]; ++c) {
    write_real(columns.mean, c, type, read_real(mean, c, type), false);
    write_real(columns.factor, c, type, read_real(gain.data, c, type) / std::sqrt(read_real(variance, c, type) + eps),
               false);
    write_real(columns.bias, c, type, read_real(bias.data, c, type), false);
  }
  return columns;
}

}  // namespace

void CpuBackend::batch_norm(const Operand& x, const Operand& gain, const Operand& bias, const BatchNormOptions& options,
                            const Target& y, const Target& mean, const Target& variance, Workspace& w) {
  const RowPieces pieces(x.shape);
  const std::int64_t columns = pieces.columns;
  const std::size_t real = real_index(x.dtype);
  double* const partial = w.array<double>(std::max<std::int64_t>(1, pieces.count()) * 2 * columns);
  for_pieces(x.dtype, pieces.count(), [&](std::int64_t piece) {
    double* const sums = partial + piece * 2 * columns;
    kernels_.batch_norm->moments[real](at(x.data, pieces.first(piece) * columns, x.dtype), pieces.size(piece), columns,
                                       sums, sums + columns);
  });
  for (std::int64_t c = 0; c < columns; ++c) {  // Chan et al. 1979: moments of two sets from those of each
    double rows = 0, centre = 0, squares = 0;
    for (std::int64_t piece = 0; piece < pieces.count(); ++piece) {
      const double* const sums = partial + piece * 2 * columns;
      const auto more = static_cast<double>(pieces.size(piece)), off = sums[c] - centre;
      squares += sums[columns + c] + off * off * rows * more / (rows + more);
      centre += off * more / (rows + more);
      rows += more;
    }
    write_real(mean.data, c, x.dtype, centre, false);
    write_real(variance.data, c, x.dtype, rows > 0 ? squares / rows : 0, false);
  }
  const Columns by = normalisation(gain, bias, mean.data, variance.data, options.eps, w);
  const auto f = kernels_.scalar[static_cast<std::size_t>(options.f.function)].value[0][real];
  const bool rectified = options.f.function == ScalarFunction::relu;
  const bool bare = rectified || options.f.function == ScalarFunction::identity;
  for_ranges(x.dtype, pieces.rows, rows_per_grain(columns, grain / 2), [&](std::int64_t begin, std::int64_t end) {
    void* const to = at(y.data, begin * columns, x.dtype);
    kernels_.batch_norm->normalise[real][rectified](by.block(x, begin, end - begin), to);
    if (!bare) f(to, to, (end - begin) * columns, options.f.parameter, false);
  });
}

// With g = f'(z) d_y, r = 1 / sqrt(variance + eps), c = x - mean, over n rows:
//   d_bias = sum g,   d_gain = r sum g c,   d_x = gain r (g - sum g / n - c r^2 sum(g c) / n)
void CpuBackend::batch_norm_vjp(const Operand& x, const Operand& gain, const Operand& bias, const Operand& mean,
                                const Operand& variance, const BatchNormOptions& options, const Operand& d_y,
                                const Target& d_x, const Target& d_gain, const Target& d_bias, Workspace& w) {
  const RowPieces pieces(x.shape);
  const std::int64_t columns = pieces.columns;
  const std::size_t real = real_index(x.dtype);
  const Columns by = normalisation(gain, bias, mean.data, variance.data, options.eps, w);
  const ScalarKernel& f = kernels_.scalar[static_cast<std::size_t>(options.f.function)];
  const bool rectified = options.f.function == ScalarFunction::relu;
  const bool bare = rectified || options.f.function == ScalarFunction::identity;
  const auto bytes = bare ? 0 : static_cast<std::size_t>(pieces.block * columns) * size_of(x.dtype);
  // g of a piece: d_y itself where f is the identity, or relu, which the kernels know.
  const auto gradient = [&](std::int64_t piece, char* scratch) -> const void* {
    const std::int64_t first = pieces.first(piece), count = pieces.size(piece) * columns;
    const void* const d = at(d_y.data, first * columns, x.dtype);
    if (bare) return d;
    kernels_.batch_norm->normalise[real][false](by.block(x, first, pieces.size(piece)), scratch);
    if (info(options.f.function).uses_output) f.value[0][real](scratch, scratch, count, options.f.parameter, false);
    f.vjp[real](scratch, d, scratch, count, options.f.parameter, false);
    return scratch;
  };
  double* const partial = w.array<double>(std::max<std::int64_t>(1, pieces.count()) * 2 * columns);
  for_pieces_with_scratch(x.dtype, pieces.count(), bytes, w, [&](std::int64_t piece, char* scratch) {
    double* const sums = partial + piece * 2 * columns;
    kernels_.batch_norm->vjp_sums[real][rectified](by.block(x, pieces.first(piece), pieces.size(piece)),
                                                   gradient(piece, scratch), sums, sums + columns);
  });
  const std::size_t row = static_cast<std::size_t>(columns) * size_of(x.dtype);
  void *const slope = w.bytes(row), *const start = w.bytes(row);
  for (std::int64_t c = 0; c < columns; ++c) {
    double sum = 0, sum_x = 0;
    for (std::int64_t piece = 0; piece < pieces.count(); ++piece) {
      sum += partial[piece * 2 * columns + c];
      sum_x += partial[(piece * 2 + 1) * columns + c];
    }
    const double r = 1 / std::sqrt(read_real(variance.data, c, x.dtype) + options.eps);
    const auto n = static_cast<double>(std::max<std::int64_t>(1, pieces.rows));
    const double factor = read_real(gain.data, c, x.dtype) * r;
    if (d_bias.data) write_real(d_bias.data, c, x.dtype, sum, d_bias.accumulate);
    if (d_gain.data) write_real(d_gain.data, c, x.dtype, r * sum_x, d_gain.accumulate);
    write_real(start, c, x.dtype, -factor * sum / n, false);
    write_real(slope, c, x.dtype, -factor * r * r * sum_x / n, false);
  }
  if (!d_x.data) return;
  for_pieces_with_scratch(x.dtype, pieces.count(), bytes, w, [&](std::int64_t piece, char* scratch) {
    const std::int64_t first = pieces.first(piece);
    kernels_.batch_norm->vjp[real][rectified](by.block(x, first, pieces.size(piece)), gradient(piece, scratch), slope,
                                              start, at(d_x.data, first * columns, x.dtype), d_x.accumulate);
  });
}

}  // namespace rz::cpu
