// The residual rules. Nearly every method that is compared with ReZero has one shape,
//     x' = N_post( s x + g F( N_in(x) ) )       s skip scale, g branch scale, N a norm or none,
// so a form is a row of constants in one table. ReZero (2003.04887), Table 1.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "nn/layer_norm.h"
#include "nn/module.h"

namespace rz::nn {

enum class Form : std::uint8_t { deep, residual, deep_layer_norm, pre_norm, post_norm, rezero, rezero_one };
enum class NormPlace : std::uint8_t { none, input, output };

struct FormRow {
  Form form;
  std::string_view name;
  std::string_view formula;
  double skip;        // s
  bool gated;         // g = a learned gate per layer; otherwise 1
  double gate_start;  // of a learned gate
  NormPlace norm;
};
std::span<const FormRow> forms();
const FormRow& row(Form form);
Form form_named(std::string_view name);  // Throws: value (lists the names, and the nearest one)

// The residual connection of one layer. It holds no parameters: the gates [depth] and the norm belong to the model,
// which may share them among layers.
class Residual {
 public:
  Residual(Form form, Parameter gates, const LayerNorm* norm);
  template <class Branch>
  Variable operator()(const Variable& x, std::int64_t layer, Branch&& branch) const {
    return join(x, branch(before(x)), layer);
  }

 private:
  Variable before(const Variable& x) const;                                       // N_in(x)
  Variable join(const Variable& x, const Variable& f, std::int64_t layer) const;  // N_post(s x + g f)
  const FormRow& row_;
  Parameter gates_;
  const LayerNorm* norm_;
};

}  // namespace rz::nn
