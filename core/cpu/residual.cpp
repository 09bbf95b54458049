#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

void CpuBackend::residual_add(const Operand& x, const Operand& f, const Operand& gates, std::int64_t index,
                              const Target& y, Workspace&) {
  const auto kernel = kernels_.residual->add[real_index(y.dtype)];
  const double gate = read_real(gates.data, index, gates.dtype);
  for_ranges(y.dtype, y.shape.elements(), grain, [&](std::int64_t begin, std::int64_t end) {
    kernel(at(x.data, begin, y.dtype), at(f.data, begin, y.dtype), gate, at(y.data, begin, y.dtype), end - begin,
           y.accumulate);
  });
}

// The gate's gradient is a sum of partial sums, one per piece, in the order of the pieces.
void CpuBackend::residual_add_vjp(const Operand& f, const Operand& gates, std::int64_t index, const Operand& d_y,
                                  const Target& d_f, const Target& d_gates, Workspace& w) {
  const double gate = read_real(gates.data, index, gates.dtype);
  if (!d_gates.data) {
    if (d_f.data) scale(gate, d_y, d_f);
    return;
  }
  const std::int64_t n = f.shape.elements(), pieces = ceil_div(n, grain);
  const auto kernel = kernels_.residual->vjp[real_index(f.dtype)];
  double* const partial = w.array<double>(pieces);
  for_pieces(f.dtype, pieces, [&](std::int64_t piece) {
    const std::int64_t first = piece * grain, count = std::min(grain, n - first);
    void* const to = d_f.data ? at(d_f.data, first, f.dtype) : nullptr;
    partial[piece] = kernel(at(f.data, first, f.dtype), at(d_y.data, first, f.dtype), gate, to, count, d_f.accumulate);
  });
  double sum = 0;
  for (std::int64_t k = 0; k < pieces; ++k) sum += partial[k];
  write_real(d_gates.data, index, d_gates.dtype, sum, d_gates.accumulate);
}

}  // namespace rz::cpu
