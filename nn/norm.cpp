#include "nn/norm.h"

#include <array>

#include "autograd/ops.h"
#include "core/error.h"
#include "core/nearest.h"
#include "nn/init.h"

namespace rz::nn {

namespace {

constexpr std::array<std::string_view, 4> names{"layer_norm", "rms_norm", "dyt", "derf"};

}  // namespace

std::span<const std::string_view> norm_kinds() { return names; }

NormKind norm_kind_named(std::string_view name) {
  for (std::size_t k = 0; k < names.size(); ++k)
    if (names[k] == name) return static_cast<NormKind>(k);
  RZ_FAIL(value, "norm: {}", unknown_name(name, names));
}

Norm::Norm(ParameterStore& store, const std::string& name, std::int64_t features, const NormOptions& options)
    : options_(options) {
  const NormKind kind = options.kind;
  gain_ = store.declare(name + ".weight", {features}, Role::norm, init::constant(options.gain));
  if (kind != NormKind::rms_norm) bias_ = store.declare(name + ".bias", {features}, Role::norm, init::constant(0));
  if (kind == NormKind::dyt || kind == NormKind::derf)
    alpha_ = store.declare(name + ".alpha", {1}, Role::norm, init::constant(0.5));
  if (kind == NormKind::derf) shift_ = store.declare(name + ".shift", {1}, Role::norm, init::constant(0));
}

Variable Norm::forward(const Variable& x) const {
  switch (options_.kind) {
    case NormKind::layer_norm:
      return layer_norm(x, gain_, bias_, options_.eps);
    case NormKind::rms_norm:
      return rms_norm(x, gain_, options_.eps);
    case NormKind::dyt:
      return add(multiply(tanh(multiply(x, alpha_)), gain_), bias_);
    case NormKind::derf:
      return add(multiply(erf(add(multiply(x, alpha_), shift_)), gain_), bias_);
  }
  RZ_FAIL(internal, "norm: unknown kind");
}

}  // namespace rz::nn
