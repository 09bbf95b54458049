// Norm over the last axis, of one of four kinds.   Parameters NAME.weight (start: gain), NAME.bias (0), both
// [features].
//   layer_norm   (x - mean) / sqrt(variance + eps) * weight + bias                      Ba et al. 2016
//   rms_norm     x / sqrt(mean of x^2 + eps) * weight              (no bias)            Zhang, Sennrich 2019
//   dyt          tanh(alpha x) * weight + bias                     NAME.alpha [1]: 0.5  Zhu et al. 2025 (2503.10622)
//   derf         erf(alpha x + shift) * weight + bias              also NAME.shift [1]: 0   Derf, 2025
#pragma once

#include <span>
#include <string_view>

#include "nn/module.h"

namespace rz::nn {

enum class NormKind : std::uint8_t { layer_norm, rms_norm, dyt, derf };
std::span<const std::string_view> norm_kinds();   // names, in the order of NormKind
NormKind norm_kind_named(std::string_view name);  // Throws: value (lists the names)

struct NormOptions {
  NormKind kind = NormKind::layer_norm;
  double gain = 1;  // start of the weight; 0 with a norm after the branch is "zero gamma" (Goyal et al. 2017)
  double eps = 1e-5;
};

class Norm : public Module {
 public:
  Norm(ParameterStore& store, const std::string& name, std::int64_t features, const NormOptions& options = {});
  Variable forward(const Variable& x) const override;

 private:
  NormOptions options_;
  Parameter gain_, bias_, alpha_, shift_;
};

}  // namespace rz::nn
