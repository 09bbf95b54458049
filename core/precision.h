// How products of f32 matrices are taken: gemm, linear, a residual stack, and their gradients. Tensors, sums and all
// else stay f32, and products of f64 are as they are. Beside `plain` this asks for instructions that multiply numbers
// in bf16 (8 bits); each operand is then a sum of one, two or three parts. Products too small to gain by it stay plain.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/device.h"

namespace rz {

enum class ProductPrecision : std::uint8_t {
  plain,  // multiplied in f32
  f32,    // as exact as f32: three parts where that is faster, else plain. On every device
  high,   // two parts: 16 bits of each operand, errors about 15 times those of f32
  bf16    // one part: operands rounded to bf16, to nearest even
};
constexpr std::string_view name(ProductPrecision precision) {
  constexpr std::string_view names[] = {"plain", "f32", "high", "bf16"};
  return names[static_cast<int>(precision)];
}

ProductPrecision product_precision();  // of the calling thread: plain, unless a scope says otherwise

// Products that the calling thread asks for have this precision while the object lives.
class ProductPrecisionScope {
 public:
  // Throws: value (the device lacks what it takes)
  explicit ProductPrecisionScope(ProductPrecision precision, Device device = Device::cpu());
  ~ProductPrecisionScope();
  ProductPrecisionScope(const ProductPrecisionScope&) = delete;
  ProductPrecisionScope& operator=(const ProductPrecisionScope&) = delete;

 private:
  ProductPrecision before_;
};

}  // namespace rz
