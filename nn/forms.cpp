#include "nn/forms.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/nearest.h"

namespace rz::nn {

namespace {

using P = Position;

double real(std::int64_t n) { return static_cast<double>(n); }
// From `first` at layer 1 to `last` at layer L.
double along(const P& p, double first, double last) {
  return p.layers == 1 ? first : first + (last - first) * real(p.layer - 1) / real(p.layers - 1);
}

constexpr Constant zero{"0", [](const P&) { return 0.0; }};

// clang-format off
constexpr FormRow table[] = {
    {.form = Form::deep, .name = "deep", .formula = "F(x)", .source = "ReZero (2003.04887), Table 1", .skip = zero},
    {.form = Form::residual, .name = "residual", .formula = "x + F(x)", .source = "He et al. 2015 (1512.03385)"},
    {.form = Form::deep_layer_norm, .name = "deep_layer_norm", .formula = "norm(F(x))",
     .source = "ReZero (2003.04887), Table 1", .skip = zero, .norm_post = true},
    {.form = Form::pre_norm, .name = "pre_norm", .formula = "x + F(norm(x))", .source = "ReZero (2003.04887), Table 1",
     .norm_in = true},
    {.form = Form::post_norm, .name = "post_norm", .formula = "norm(x + F(x))", .source = "Vaswani et al. 2017 (1706.03762)",
     .norm_post = true},
    {.form = Form::rezero, .name = "rezero", .formula = "x + a F(x), a = 0", .source = "ReZero (2003.04887), Eq. 1",
     .gate = GateShape::scalar, .gate_start = zero},
    {.form = Form::rezero_one, .name = "rezero_one", .formula = "x + a F(x), a = 1",
     .source = "ReZero (2003.04887), its ablation", .gate = GateShape::scalar},
    {.form = Form::gated, .name = "gated", .formula = "x + relu(a) F(x), a = 1",
     .source = "Savarese et al. 2016 (1611.01260)", .gate = GateShape::scalar, .gate_function = ScalarFunction::relu},
    {.form = Form::highway, .name = "highway", .formula = "x + T (F(x) - x), T = sigmoid(W_T x + b_T), b_T = -2",
     .source = "Srivastava et al. 2015 (1505.00387): a negative bias carries x at the start", .join = Join::highway,
     .gate_start = {"-2", [](const P&) { return -2.0; }}},
    // One matrix per branch is its first and its last. For m > 1 the first ones shrink by L^(-1/(2 m - 2)).
    {.form = Form::fixup, .name = "fixup", .formula = "x + a F(x + b_in) + b_out, a = 1, F = 0",
     .source = "Zhang et al. 2019 (1901.09321), section 3: scalars a, b_in, b_out; a tenth of the rate suits them",
     .gate = GateShape::scalar,
     .weight = {"L^(-1/(2 m - 2)), m > 1",
                [](const P& p) { return p.matrices > 1 ? std::pow(real(p.layers), -1 / real(2 * p.matrices - 2)) : 1.0; }},
     .zero_last = true, .scalar_biases = true},
    // The branch's input is divided by the deviation that x has when every branch has variance 1.
    {.form = Form::skip_init, .name = "skip_init", .formula = "x + 0.2 a F(c x), a = 0",
     .source = "De, Smith 2020 (2002.10444); constants of NF-ResNet, Brock et al. 2021 (2101.08692)",
     .branch = {"0.2", [](const P&) { return 0.2; }}, .gate = GateShape::scalar, .gate_start = zero,
     .input = {"(1 + 0.04 (i - 1))^(-1/2)", [](const P& p) { return 1 / std::sqrt(1 + 0.04 * real(p.connection - 1)); }}},
    {.form = Form::zero_gamma, .name = "zero_gamma", .formula = "x + norm(F(x)), gain = 0",
     .source = "Goyal et al. 2017 (1706.02677), section 5.1", .norm_out = true, .norm_gain = 0},
    {.form = Form::layer_scale, .name = "layer_scale", .formula = "x + diag(a) F(x)",
     .source = "CaiT, Touvron et al. 2021 (2103.17239), section 2", .gate = GateShape::vector,
     .gate_start = {"0.1 up to 18 layers, 1e-5 up to 24, then 1e-6",
                    [](const P& p) { return p.layers <= 18 ? 0.1 : p.layers <= 24 ? 1e-5 : 1e-6; }}},
    {.form = Form::deepnorm, .name = "deepnorm", .formula = "norm(s x + F(x))",
     .source = "DeepNet, Wang et al. 2022 (2203.00555), Table 2 with n = 2 L sub-layers",
     .skip = {"n^(1/4)", [](const P& p) { return std::pow(real(p.sublayers), 0.25); }}, .norm_post = true,
     .weight = {"(4 n)^(-1/4)", [](const P& p) { return std::pow(4 * real(p.sublayers), -0.25); }}},
    {.form = Form::branch_scale, .name = "branch_scale", .formula = "x + k L^-p F(x)",
     .source = "Stable ResNet, Hayou et al. 2021 (2010.12859): p = 1/2; CompleteP, Dey et al. 2025 (2505.01618): p = 1",
     .branch = {"k L^-p", [](const P& p) { return p.k * std::pow(real(p.layers), -p.p); }}},
    {.form = Form::zero_projection, .name = "zero_projection", .formula = "x + F(x), F = 0",
     .source = "the last matrix of each branch starts at 0 (muP, Yang et al. 2022 (2203.03466), appendix D)",
     .zero_last = true},
    {.form = Form::tanh_gate, .name = "tanh_gate", .formula = "x + tanh(a) F(x), a = 0",
     .source = "Flamingo, Alayrac et al. 2022 (2204.14198), section 2.2", .gate = GateShape::scalar,
     .gate_function = ScalarFunction::tanh, .gate_start = zero},
    {.form = Form::convex, .name = "convex", .formula = "x + a (F(x) - x), a = 0.5",
     .source = "the bypass of Zipformer, Yao et al. 2023 (2310.11230), without its limits", .join = Join::convex,
     .gate = GateShape::scalar, .gate_start = {"0.5", [](const P&) { return 0.5; }}},
    // The start is conformal, not isometric: all singular values are equal, and none is 1.
    {.form = Form::residual_scalars, .name = "residual_scalars", .formula = "s x + a F(x) + e x_0, F = 0",
     .source = "nanochat (gpt.py, 2026): s and e learned, falling over depth; projections start at 0",
     .skip = {"", [](const P& p) { return along(p, 1.15, 1.05); }}, .gate = GateShape::scalar,
     .injection = {"", [](const P& p) { return along(p, 0.20, 0.05); }}, .learned_scalars = true,
     .zero_last = true},
    {.form = Form::peri_norm, .name = "peri_norm", .formula = "x + norm(F(norm(x)))",
     .source = "Peri-LN, Kim et al. 2025 (2502.02732)", .norm_in = true, .norm_out = true},
    {.form = Form::reordered_norm, .name = "reordered_norm", .formula = "x + norm(F(x))",
     .source = "OLMo 2 (2501.00656), section 3.3", .norm_out = true},
    {.form = Form::layer_norm_scaling, .name = "layer_norm_scaling", .formula = "x + F(c norm(x))",
     .source = "Sun et al. 2025 (2502.05795), Eq. 5", 
     .input = {"l^(-1/2)", [](const P& p) { return 1 / std::sqrt(real(p.layer)); }}, .norm_in = true},
    {.form = Form::admin, .name = "admin", .formula = "norm(s x + F(x))",
     .source = "Liu et al. 2020 (2004.08249); rule of admin-torch in place of profiling",
     .skip = {"((n + 1) / ln(n + 1) - 1)^(1/2)",
              [](const P& p) { return std::sqrt(real(p.sublayers + 1) / std::log(real(p.sublayers + 1)) - 1); }},
     .norm_post = true},
    {.form = Form::keel, .name = "keel", .formula = "norm(s x + F(norm(x)))", .source = "Keel (2601.19895)",
     .skip = {"L", [](const P& p) { return real(p.layers); }}, .norm_in = true, .norm_post = true},
    {.form = Form::gpt2_norm, .name = "gpt2_norm", .formula = "x + norm(F(x))",
     .source = "ReZero (2003.04887), section 5: the placement that it names after GPT-2", .norm_out = true},
    {.form = Form::t_fixup, .name = "t_fixup", .formula = "x + F(x), small F",
     .source = "T-Fixup, Huang et al. 2020 (ICML), section 3.2: no norm and no warm-up",
     .weight = {"0.67 L^(-1/4), decoder (9 L)^(-1/4)",
                [](const P& p) { return p.decoder ? std::pow(9 * real(p.layers), -0.25) : 0.67 * std::pow(real(p.layers), -0.25); }},
     .value_factor = 1.4142135623730951},
};
// clang-format on

// "NAME = FORMULA = VALUE", or the values of the first and last layer.
std::string constant_text(std::string_view name, const Constant& constant, Position position) {
  position.layer = position.connection = 1;
  const std::string first = fmt::format("{:.4g}", constant.at(position));
  position.layer = position.layers;
  position.connection = position.sublayers;
  const std::string last = fmt::format("{:.4g}", constant.at(position));
  if (first == last) return fmt::format("{} = {}{}", name, constant.text, constant.text == first ? "" : " = " + first);
  return fmt::format("{}{}{} = {} ... {}", name, constant.text.empty() ? "" : " = ", constant.text, first, last);
}

}  // namespace

std::span<const FormRow> forms() { return table; }
const FormRow& row(Form form) { return table[static_cast<std::size_t>(form)]; }

Form form_named(std::string_view name) {
  std::vector<std::string_view> names;
  for (const FormRow& row : table) {
    if (row.name == name) return row.form;
    names.push_back(row.name);
  }
  RZ_FAIL(value, "form: {}", unknown_name(name, names));
}

std::string constants_text(Form form, const Position& position, std::span<const double> skip,
                           std::span<const double> injection) {
  const FormRow& f = row(form);
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  const auto constant = [&](std::string_view name, const Constant& value, std::string_view usual) {
    if (value.text != usual) add(constant_text(name, value, position));
  };
  const auto start = [&](std::string_view name, const Constant& value, std::string_view usual,
                         std::span<const double> given) {
    if (given.empty()) return constant(name, value, usual);
    add(given.size() == 1 ? fmt::format("{} = {:.4g}", name, given[0])
                          : fmt::format("{} = {:.4g} ... {:.4g}", name, given.front(), given.back()));
  };
  if (f.skip.text != "0") start("s", f.skip, "1", skip);
  constant("g", f.branch, "1");
  constant("c", f.input, "1");
  start("e", f.injection, "0", injection);
  if (f.weight.at(position) != 1) constant("beta", f.weight, "1");
  return out;
}

DepthScaling depth_scaling(std::int64_t depth, std::int64_t base_depth, double p) {
  RZ_CHECK(value, base_depth >= 1, "depth_scaling: a base depth of {} was given, but it must be at least 1",
           base_depth);
  const double m = real(depth) / real(base_depth);
  return {m, std::pow(m, p - 1), std::pow(m, -p)};
}

}  // namespace rz::nn
