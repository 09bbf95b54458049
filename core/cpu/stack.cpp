// A stack of residual layers, samples in the lanes. As many samples as a panel of gemm's is wide make a panel
// [width, lanes] of x^T; it is what gemm reads and, with rows one panel apart, what it writes, so a panel walks through
// all layers without being packed again, without leaving the first-level cache and without waiting for another: z^T = W
// x^T + b. Backward, d_z of some layers is kept at a time; then their weights' gradients are one product each, d_W =
// d_z^T x over all samples. Where products are taken from bf16 parts (core/precision.h), each of their operands is
// packed first; all between them is f32. Samples that fill up the last panel have d_y = 0 and add 0 to every sum.
#include <algorithm>
#include <cstring>

#include "core/cpu/backend.h"
#include "core/cpu/pieces.h"
#include "core/cpu/stack_layout.h"

namespace rz::cpu {

namespace {

constexpr std::int64_t least_rows = 16, least_width = 16, most_width = 1024;
constexpr std::int64_t bytes_of_d_z = 4 << 20;  // kept at a time: for the second- and third-level cache
constexpr std::int64_t rows_of_weights = 96;    // of d_W in a piece: whole groups of tiles

// Rows of x [rows, width] into a panel, and back.
void into_panel(const Kernels& k, const StackLayout& s, const void* x, std::int64_t p, void* panel) {
  const void* const first = at(x, p * s.lanes * s.width, s.type);
  k.gemm->pack[s.real]({first, s.width, s.width, s.samples(p), true, s.panel}, 1, panel);
}
void out_of_panel(const Kernels& k, const StackLayout& s, const void* panel, std::int64_t p, const Target& y) {
  void* const first = at(y.data, p * s.lanes * s.width, s.type);
  if (y.accumulate) return k.move->transpose_add[s.real](panel, s.lanes, first, s.width, s.width, s.samples(p));
  k.move->transpose[s.real + 2](panel, s.lanes, first, s.width, s.width, s.samples(p));  // by size: 4 and 8 bytes
}

// y^T = W x^T + bias of each row, or y^T += W^T x^T, for panels [begin, end) of x and y.
void multiply_panels(const StackLayout& s, const void* weight, bool transposed, const void* x, void* packed,
                     const void* bias, void* y, std::int64_t begin, std::int64_t end) {
  const void* panels = at(x, begin * s.panel, s.type);
  if (s.parts) {
    char* const to = static_cast<char*>(packed);
    for (std::int64_t p = begin; p < end; ++p)
      s.own.pack[s.real]({at(x, p * s.panel, s.type), s.lanes, s.width, s.lanes, false, s.panel}, 1,
                         to + p * s.packed_panel());
    panels = to + begin * s.packed_panel();
  }
  s.own.multiply[s.real]({.a = weight,
                          .panels = panels,
                          .row_start = bias,
                          .a_rows = nullptr,
                          .c = at(y, begin * s.panel, s.type),
                          .a_row = s.width,
                          .c_row = s.lanes,
                          .c_panel = s.panel,
                          .rows = s.width,
                          .columns = (end - begin) * s.lanes,
                          .k = s.width,
                          .a_transposed = transposed,
                          .accumulate = transposed});
}

// Panels that one thread takes through the layers together, so that a matrix is read once for all of them. Which
// panels go together changes no bit.
std::int64_t panels_together(const StackLayout& s) { return ceil_div(s.panels, threads()); }

}  // namespace

bool CpuBackend::fuses_residual_stack(std::int64_t rows, std::int64_t width, DType type) const {
  return kernels_.gemm->multiply[real_index(type)] && rows >= least_rows && width >= least_width && width <= most_width;
}

Shape CpuBackend::residual_stack_kept(std::int64_t rows, std::int64_t width, std::int64_t layers, DType type) const {
  if (!fuses_residual_stack(rows, width, type)) return Backend::residual_stack_kept(rows, width, layers, type);
  return {layers, StackLayout(kernels_, type, rows, width, layers).kept_layer()};
}

void CpuBackend::residual_stack(const Operand& x, const ResidualStack& stack, const Target& y, const Target& kept,
                                Workspace& w) {
  if (!fuses_residual_stack(x.shape[0], x.shape[1], x.dtype)) return Backend::residual_stack(x, stack, y, kept, w);
  const StackLayout s(kernels_, x.dtype, x.shape[0], x.shape[1], stack.layers());
  const ScalarKernel& f = kernels_.scalar[static_cast<std::size_t>(stack.f.function)];
  const bool keeps_f = info(stack.f.function).uses_output;
  void* const x_panels = w.bytes(static_cast<std::size_t>(s.array()) * size_of(s.type));
  void* const f_panels = w.bytes(static_cast<std::size_t>(s.array()) * size_of(s.type));
  void* const packed = s.packed(w);
  const auto layer = [&](std::int64_t l, std::int64_t begin, std::int64_t end) {
    const auto k = static_cast<std::size_t>(l);
    void* const z = at(kept.data, s.kept_z(l), s.type);
    void* const branch = keeps_f ? z : f_panels;
    for (std::int64_t p = begin; p < end; ++p)
      s.own.pack[s.real](
          {at(x_panels, p * s.panel, s.type), s.lanes, s.lanes, s.width, true, s.kept_panel()}, 1,
          static_cast<char*>(at(kept.data, s.kept_x(l), s.type)) + p * s.lanes * s.lanes * s.own.bytes[s.real]);
    multiply_panels(s, stack.weights[k].data, false, x_panels, packed, stack.biases[k].data, z, begin, end);
    const double gate = read_real(stack.gates.data, l, stack.gates.dtype);
    for (std::int64_t p = begin; p < end; ++p) {
      void* const x_panel = at(x_panels, p * s.panel, s.type);
      void* const f_panel = at(branch, p * s.panel, s.type);
      f.value[0][s.real](at(z, p * s.panel, s.type), f_panel, s.panel, stack.f.parameter, false);
      kernels_.residual->add[s.real](x_panel, f_panel, gate, x_panel, s.panel, false);
    }
  };
  for_ranges(s.type, s.panels, panels_together(s), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) into_panel(kernels_, s, x.data, p, at(x_panels, p * s.panel, s.type));
    for (std::int64_t l = 0; l < s.layers; ++l) layer(l, begin, end);
    for (std::int64_t p = begin; p < end; ++p) out_of_panel(kernels_, s, at(x_panels, p * s.panel, s.type), p, y);
  });
}

void CpuBackend::residual_stack_vjp(const ResidualStack& stack, const Operand& kept, const Operand& d_y,
                                    const ResidualStackGradients& d, Workspace& w) {
  if (!fuses_residual_stack(d_y.shape[0], d_y.shape[1], d_y.dtype))
    return Backend::residual_stack_vjp(stack, kept, d_y, d, w);
  const StackLayout s(kernels_, d_y.dtype, d_y.shape[0], d_y.shape[1], stack.layers());
  const ScalarKernel& f = kernels_.scalar[static_cast<std::size_t>(stack.f.function)];
  const bool keeps_f = info(stack.f.function).uses_output;
  const auto bytes = static_cast<std::size_t>(s.array()) * size_of(s.type);
  const std::int64_t together = std::clamp<std::int64_t>(bytes_of_d_z / static_cast<std::int64_t>(bytes), 1, s.layers);
  void* const d_x_panels = w.bytes(bytes);
  void* const f_panels = w.bytes(bytes);
  void* const d_z_panels = w.bytes(bytes);
  void* const packed = s.packed(w);
  void* const d_z_rows = w.bytes(bytes * static_cast<std::size_t>(together));  // [layer, width, padded]
  double* const d_gates = w.array<double>(s.layers * s.panels);

  // d_z of a layer, from d_x of the next.
  const auto branch_vjp = [&](std::int64_t l, std::int64_t p, void* rows) {
    const void* const z = at(kept.data, s.kept_z(l) + p * s.panel, s.type);
    void* const d_x = at(d_x_panels, p * s.panel, s.type);
    void* const d_z = at(d_z_panels, p * s.panel, s.type);
    const void* branch = z;
    if (!keeps_f) {
      void* const again = at(f_panels, p * s.panel, s.type);
      f.value[0][s.real](z, again, s.panel, stack.f.parameter, false);
      branch = again;
    }
    const double gate = read_real(stack.gates.data, l, stack.gates.dtype);
    d_gates[l * s.panels + p] = kernels_.residual->vjp[s.real](branch, d_x, gate, d_z, s.panel, false);
    f.vjp[s.real](z, d_z, d_z, s.panel, stack.f.parameter, false);
    const std::size_t lanes_bytes = static_cast<std::size_t>(s.lanes) * size_of(s.type);
    for (std::int64_t i = 0; i < s.width; ++i)
      std::memcpy(at(rows, i * s.padded() + p * s.lanes, s.type), at(d_z, i * s.lanes, s.type), lanes_bytes);
  };
  // Rows [row, row + count) of a layer's d_W and d_b.
  const auto weights = [&](std::int64_t l, std::int64_t row, std::int64_t count, const void* rows) {
    const Target &d_weight = d.weights[static_cast<std::size_t>(l)], &d_bias = d.biases[static_cast<std::size_t>(l)];
    const void* const d_z = at(rows, row * s.padded(), s.type);
    if (d_weight.data) {
      s.own.multiply[s.real]({.a = d_z,
                              .panels = at(kept.data, s.kept_x(l), s.type),
                              .row_start = nullptr,
                              .a_rows = nullptr,
                              .c = at(d_weight.data, row * s.width, s.type),
                              .a_row = s.padded(),
                              .c_row = s.width,
                              .c_panel = s.lanes,
                              .rows = count,
                              .columns = s.width,
                              .k = s.padded(),
                              .a_transposed = false,
                              .accumulate = d_weight.accumulate});
    }
    if (!d_bias.data) return;
    double sums[rows_of_weights];
    kernels_.reduce->rows[0][s.real](d_z, count, s.padded(), s.padded(), sums);
    for (std::int64_t i = 0; i < count; ++i) write_real(d_bias.data, row + i, s.type, sums[i], d_bias.accumulate);
  };

  const std::int64_t blocks = ceil_div(s.width, rows_of_weights);
  for (std::int64_t last = s.layers; last > 0; last -= std::min(last, together)) {
    const std::int64_t first = std::max<std::int64_t>(0, last - together);
    const auto rows_of = [&](std::int64_t l) { return at(d_z_rows, (l - first) * s.array(), s.type); };
    for_ranges(s.type, s.panels, panels_together(s), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end && last == s.layers; ++p)
        into_panel(kernels_, s, d_y.data, p, at(d_x_panels, p * s.panel, s.type));
      for (std::int64_t l = last - 1; l >= first; --l) {
        for (std::int64_t p = begin; p < end; ++p) branch_vjp(l, p, rows_of(l));
        multiply_panels(s, stack.weights[static_cast<std::size_t>(l)].data, true, d_z_panels, packed, nullptr,
                        d_x_panels, begin, end);
      }
      for (std::int64_t p = begin; p < end && first == 0 && d.x.data; ++p)
        out_of_panel(kernels_, s, at(d_x_panels, p * s.panel, s.type), p, d.x);
    });
    for_pieces(s.type, (last - first) * blocks, [&](std::int64_t piece) {
      const std::int64_t l = first + piece / blocks, row = piece % blocks * rows_of_weights;
      weights(l, row, std::min(rows_of_weights, s.width - row), rows_of(l));
    });
  }
  for (std::int64_t l = 0; l < s.layers && d.gates.data; ++l) {
    double sum = 0;
    for (std::int64_t p = 0; p < s.panels; ++p) sum += d_gates[l * s.panels + p];
    write_real(d.gates.data, l, d.gates.dtype, sum, d.gates.accumulate);
  }
}

// Tangents in the lanes. Only rows of W whose unit has a slope are multiplied: half of them, where f is relu.
void CpuBackend::residual_stack_jvp(const Operand& x, const ResidualStack& stack, const Operand& t_x, const Target& y,
                                    const Target& t_y, Workspace& w) {
  if (!fuses_residual_stack(t_x.shape[0], t_x.shape[1], x.dtype))
    return Backend::residual_stack_jvp(x, stack, t_x, y, t_y, w);
  const StackLayout s(kernels_, x.dtype, t_x.shape[0], t_x.shape[1], stack.layers());
  const Slopes slopes = slopes_of(x, stack, y, w);
  const auto bytes = static_cast<std::size_t>(s.array()) * size_of(s.type);
  void* const t_panels = w.bytes(bytes);
  void* const product = w.bytes(bytes);
  const auto layer = [&](std::int64_t l, std::int64_t begin, std::int64_t end) {
    const std::int64_t *const rows = slopes.rows + l * s.width, count = slopes.count[l];
    kernels_.gemm->multiply[s.real]({.a = stack.weights[static_cast<std::size_t>(l)].data,
                                     .panels = at(t_panels, begin * s.panel, s.type),
                                     .row_start = nullptr,
                                     .a_rows = rows,
                                     .c = at(product, begin * s.panel, s.type),
                                     .a_row = s.width,
                                     .c_row = s.lanes,
                                     .c_panel = s.panel,
                                     .rows = count,
                                     .columns = (end - begin) * s.lanes,
                                     .k = s.width,
                                     .a_transposed = false,
                                     .accumulate = false});
    for (std::int64_t p = begin; p < end; ++p)
      kernels_.residual->add_rows[s.real](at(product, p * s.panel, s.type), at(slopes.values, l * s.width, s.type),
                                          rows, count, s.lanes, at(t_panels, p * s.panel, s.type));
  };
  for_ranges(s.type, s.panels, panels_together(s), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) into_panel(kernels_, s, t_x.data, p, at(t_panels, p * s.panel, s.type));
    for (std::int64_t l = 0; l < s.layers; ++l) layer(l, begin, end);
    for (std::int64_t p = begin; p < end; ++p) out_of_panel(kernels_, s, at(t_panels, p * s.panel, s.type), p, t_y);
  });
}

// Takes x [1, width] through all layers; g_l f'(z_l) of the units where it is not 0, layer after layer.
CpuBackend::Slopes CpuBackend::slopes_of(const Operand& x, const ResidualStack& stack, const Target& y, Workspace& w) {
  const std::int64_t width = x.shape[1], layers = stack.layers();
  const std::size_t real = real_index(x.dtype);
  const ScalarKernel& f = kernels_.scalar[static_cast<std::size_t>(stack.f.function)];
  const auto bytes = static_cast<std::size_t>(width) * size_of(x.dtype);
  Slopes slopes{w.array<std::int64_t>(layers * width), w.array<std::int64_t>(layers),
                w.bytes(bytes * static_cast<std::size_t>(layers))};
  char* const scratch = static_cast<char*>(w.bytes(3 * bytes));
  void *const h = scratch, *const branch = scratch + bytes, *const slope = scratch + 2 * bytes;
  std::memcpy(h, x.data, bytes);
  for (std::int64_t l = 0; l < layers; ++l) {
    const auto k = static_cast<std::size_t>(l);
    Workspace products(w.pool());
    linear({h, x.shape, x.dtype}, stack.weights[k], stack.biases[k], ScalarFunction::identity,
           {branch, x.shape, x.dtype, false}, products);
    const FlushDenormals flush(x.dtype == DType::f32);
    f.value[1][real](branch, slope, width, stack.f.parameter, false);
    f.value[0][real](branch, branch, width, stack.f.parameter, false);
    const double gate = read_real(stack.gates.data, l, stack.gates.dtype);
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < width; ++i) {
      const double value = gate * read_real(slope, i, x.dtype);
      if (value == 0) continue;
      slopes.rows[l * width + count] = i;
      write_real(slopes.values, l * width + count++, x.dtype, value, false);
    }
    slopes.count[l] = count;
    kernels_.residual->add[real](h, branch, gate, h, width, false);
  }
  convert({h, x.shape, x.dtype}, y);
  return slopes;
}

}  // namespace rz::cpu
