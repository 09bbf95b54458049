// For stack.cpp, where the words are explained.
#pragma once

#include <algorithm>

#include "core/cpu/gemm.h"
#include "core/cpu/pieces.h"

namespace rz::cpu {

// What both directions know of a stack: whose kernels multiply, and where its panels lie.
struct StackLayout {
  const GemmKernels& own;  // of the products; all widths are one
  bool parts;              // they read x in another form than f32
  DType type;
  std::int64_t width, layers, rows;
  std::int64_t lanes, panels, panel;  // samples of a panel; how many panels; elements of one
  std::size_t real;

  StackLayout(const Kernels& kernels, DType dtype, std::int64_t samples, std::int64_t features, std::int64_t depth)
      : own(products_of(kernels, dtype, samples, features)),
        parts(&own != kernels.gemm),
        type(dtype),
        width(features),
        layers(depth),
        rows(samples),
        lanes(own.width[real_index(dtype)]),
        panels(ceil_div(samples, lanes)),
        panel(features * lanes),
        real(real_index(dtype)) {}

  static const GemmKernels& products_of(const Kernels& kernels, DType type, std::int64_t samples, std::int64_t width) {
    const GemmKernels* const parts = type == DType::f32 ? products_in(product_precision()) : nullptr;
    return parts && parts_pay(samples, width, width) ? *parts : *kernels.gemm;
  }

  std::int64_t padded() const { return panels * lanes; }  // rows
  std::int64_t array() const { return panels * panel; }   // elements of x, z or d_z
  std::int64_t samples(std::int64_t p) const { return std::min(lanes, rows - p * lanes); }
  // Of layer l: x as gemm takes it for d_W, [width / lanes, padded, lanes], then z or f(z), [panels, width, lanes].
  std::int64_t kept_x(std::int64_t l) const { return l * kept_layer(); }
  std::int64_t kept_z(std::int64_t l) const { return l * kept_layer() + kept_layer() - array(); }
  std::int64_t kept_panel() const { return panel_size(own, real, padded()); }  // numbers
  std::int64_t kept_layer() const {
    return ceil_div(width, lanes) * kept_panel() * own.bytes[real] / static_cast<std::int64_t>(size_of(type)) + array();
  }
  std::int64_t packed_panel() const { return panel_size(own, real, width) * own.bytes[real]; }  // bytes
  // Where multiply_panels packs all panels.
  void* packed(Workspace& w) const {
    return parts ? w.bytes(static_cast<std::size_t>(panels * packed_panel())) : nullptr;
  }
};

}  // namespace rz::cpu
