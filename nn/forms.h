// The residual forms. Nearly every method that is compared with ReZero has one shape,
//     x' = N_post( s x + g N_out( F( c N_in(x) ) ) + e x_0 )
// s skip scale, g branch scale, c a constant of the layer, e injection of the stack's input x_0, N a norm or none. So a
// form is a row of constants and start values in one table. ReZero (2003.04887), Table 1, and what came after.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/scalar_functions.h"

namespace rz::nn {

// clang-format off
enum class Form : std::uint8_t {
  deep, residual, deep_layer_norm, pre_norm, post_norm, rezero, rezero_one,
  gated, highway, fixup, skip_init, zero_gamma, layer_scale, deepnorm,
  branch_scale, zero_projection, tanh_gate, convex, residual_scalars,
  peri_norm, reordered_norm, layer_norm_scaling, admin, keel, gpt2_norm, t_fixup,
};
// clang-format on

// Where a residual connection stands, and what its constants may depend on.
struct Position {
  std::int64_t layer = 1;       // l, from 1
  std::int64_t layers = 1;      // L
  std::int64_t connection = 1;  // i, from 1; l where a layer is one connection
  std::int64_t sublayers = 1;   // n, residual connections in the stack (2 L in a Transformer's encoder)
  std::int64_t matrices = 1;    // m, that a branch has in series
  double k = 1, p = 0.5;        // of branch_scale
  bool decoder = false;         // of an encoder-decoder
};

struct Constant {
  std::string_view text = "1";  // as a formula of l, L, n, m, k, p; empty: its values say it
  double (*at)(const Position&) = [](const Position&) { return 1.0; };
};

enum class GateShape : std::uint8_t { none, scalar, vector };
// How branch and skip are joined: by the sum above; x + g (F - x); or x + T (F - x) with T = sigmoid(W_T x + b_T).
enum class Join : std::uint8_t { sum, convex, highway };

struct FormRow {
  Form form;
  std::string_view name, formula, source;
  Join join = Join::sum;
  Constant skip{};                   // s; its start where it is learned
  Constant branch{};                 // a constant factor of g
  GateShape gate = GateShape::none;  // a learned factor a of g: one number per layer, or one per unit
  ScalarFunction gate_function = ScalarFunction::identity;       // g = branch * gate_function(a)
  Constant gate_start{};                                         // highway: of b_T
  Constant input{};                                              // c
  Constant injection{"0", [](const Position&) { return 0.0; }};  // e; its start where it is learned
  bool learned_scalars = false;                                  // s and e are parameters, one of each per layer
  bool norm_in = false, norm_out = false, norm_post = false;
  double norm_gain = 1;        // start of the gain of N_out or N_post
  Constant weight{};           // beta: factor on the branch's initial matrices; of attention: those of value and output
  double value_factor = 1;     // a further one on the value matrices
  bool zero_last = false;      // the branch's last matrix and bias start at 0
  bool scalar_biases = false;  // F(x + b_in) + b_out with numbers b per layer instead of bias vectors

  bool gated() const { return gate != GateShape::none; }
  bool has_norm() const { return norm_in || norm_out || norm_post; }
};

std::span<const FormRow> forms();
const FormRow& row(Form form);
Form form_named(std::string_view name);  // Throws: value (lists the names, and the nearest one)

// "s = L^(1/4) = 2.83, beta = (4 L)^(-1/4) = 0.354": the constants that are not 1 (or not absent), with the position
// put in; "first ... last" where they change with the layer. "" when there are none. `skip` and `injection`: the starts
// that were given in place of the form's.
std::string constants_text(Form form, const Position& position, std::span<const double> skip = {},
                           std::span<const double> injection = {});

// How the rate and the eps of a rule that divides by the gradient's size (Adam, Adagrad, ...) change with the depth L
// of a stack x + k L^-p F(x), so that settings found at L_base layers serve at L: m = L / L_base; in the layers,
// weights and biases, rate_factor = m^(p - 1) and eps_factor = m^-p; outside of them nothing.   CompleteP, Dey et al.
// 2025 (2505.01618), Table 1 and Eq. 40.   Throws: value (base_depth below 1)
struct DepthScaling {
  double m = 1, rate_factor = 1, eps_factor = 1;
};
DepthScaling depth_scaling(std::int64_t depth, std::int64_t base_depth, double p);

}  // namespace rz::nn
