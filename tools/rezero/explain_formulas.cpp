#include "tools/rezero/explain_formulas.h"

#include <algorithm>

namespace rz::tool {
namespace {

const std::vector<OperationFormula> formulas{
    {"linear", "{0} {1}^T + {2}", {"{d} {1}", "{d}^T {0}", "sum over the rows of {d}"}},
    {"linear_scalar",
     "{f}({0} {1}^T + {2})",
     {"d_z {1}, where d_z = {f}'(z) {d}", "d_z^T {0}", "sum over the rows of d_z"}},
    {"scalar", "{f}({0})", {"{f}'({0}) {d}"}},
    {"residual_add", "{0} + g {1}, g = one element of {2}", {"{d}", "g {d}", "<{d}, {1}>"}},
    {"softmax_cross_entropy", "-log softmax({0})[label]", {"(softmax({0}) - onehot(label)) {d}"}},
    {"layer_norm",
     "({0} - mean) / deviation * {1} + {2}",
     {"through mean and deviation", "sum over the rows of {d} (x - mean) / deviation", "sum over the rows of {d}"}},
    {"rms_norm",
     "{0} / root mean square * {1}",
     {"through the mean square", "sum over the rows of {d} x / root mean square"}},
    {"add", "{0} + {1}", {"{d}", "{d}"}},
    {"subtract", "{0} - {1}", {"{d}", "-{d}"}},
    {"multiply", "{0} * {1}, element by element", {"{d} * {1}", "{d} * {0}"}},
    {"divide", "{0} / {1}, element by element", {"{d} / {1}", "-{d} * {y} / {1}"}},
    {"scale", "a number times {0}", {"the number times {d}"}},
    {"slice", "a part of {0}", {"{d} at that part, 0 elsewhere"}},
    {"sum", "sum of {0}", {"{d} for every term"}},
    {"reshape", "{0} in another shape", {"{d} in the old shape"}},
};

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
}

}  // namespace

const OperationFormula& formula_of(std::string_view operation) {
  static const OperationFormula unknown{"", "", {}};
  const auto found = std::ranges::find(formulas, operation, &OperationFormula::name);
  return found == formulas.end() ? unknown : *found;
}

std::string filled(std::string_view text, const std::vector<std::string>& inputs, const std::string& y,
                   std::string_view function) {
  std::string out(text);
  if (inputs.size() < 3) replace_all(out, " + {2}", "");  // without a bias
  for (std::size_t i = 0; i < inputs.size(); ++i) replace_all(out, "{" + std::to_string(i) + "}", inputs[i]);
  replace_all(out, "{f}", std::string(function));
  replace_all(out, "{y}", y);
  replace_all(out, "{d}", "d_" + y);
  return out;
}

UpdateFormula update_formula(const optim::OptimizerOptions& o, Role role, int rank) {
  const bool momentum = o.momentum.value_or(0) > 0, nesterov = o.nesterov.value_or(false);
  const std::string corrected = "with m' = m / (1 - beta1^t), v' = v / (1 - beta2^t), step t";
  const std::vector<StateFormula> means{{"mean", "m", "beta1 m + (1 - beta1) g"},
                                        {"mean_square", "v", "beta2 v + (1 - beta2) g^2"}};
  if (o.name == "sgd" && !momentum) return {true, {}, "w - rate g"};
  if (o.name == "sgd")
    return {true, {{"momentum", "m", "momentum m + g"}}, nesterov ? "w - rate (g + momentum m)" : "w - rate m"};
  if (o.name == "adagrad") return {true, {{"sum_of_squares", "s", "s + g^2"}}, "w - rate g / (sqrt(s) + eps)"};
  if (o.name == "rmsprop") {
    const StateFormula square{"mean_square", "s", "alpha s + (1 - alpha) g^2"};
    if (!momentum) return {true, {square}, "w - rate g / (sqrt(s) + eps)"};
    return {true, {square, {"momentum", "m", "momentum m + g / (sqrt(s) + eps)"}}, "w - rate m"};
  }
  if (o.name == "lion")
    return {false,
            {{"momentum", "m", "beta2 m + (1 - beta2) g, after w has moved"}},
            "w - rate (sign(beta1 m + (1 - beta1) g) + weight_decay w)"};
  if (o.name == "adam") return {true, means, "w - rate m' / (sqrt(v') + eps), " + corrected};
  const std::string adamw = "m' / (sqrt(v') + eps) + weight_decay w";
  if (o.name == "muon") {
    if (role == Role::weight && rank == 2)
      return {false,
              {{"momentum", "m", "momentum m + g"}},
              std::string("w - rate (sqrt(max(1, rows / columns)) O(") + (nesterov ? "g + momentum m" : "m") +
                  ") + weight_decay w), where O brings all singular values near 1"};
    return {false,
            {{"momentum", "m", means[0].formula}, means[1]},
            "w - rate (" + adamw + "), " + corrected + " (AdamW at the fallback rate)"};
  }
  const std::string end = o.bias_correction.value_or(true) ? ", " + corrected : ", with m' = m, v' = v";
  const bool ratio = o.role(role).trust_ratio.value_or(false);
  return {false, means, ratio ? "w - rate (|w| / |u|) u, u = " + adamw + end : "w - rate (" + adamw + ")" + end};
}

}  // namespace rz::tool
