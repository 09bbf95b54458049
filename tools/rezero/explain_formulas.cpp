#include "tools/rezero/explain_formulas.h"

#include <algorithm>

namespace rz::tool {
namespace {

const std::vector<OperationFormula> formulas{
    {"linear", "{0} {1}^T + {2}", {"{d} {1}", "{d}^T {0}", "sum over the rows of {d}"}},
    {"linear_scalar",
     "f({0} {1}^T + {2}), f the activation",
     {"d_z {1}, where d_z = f'(z) {d}", "d_z^T {0}", "sum over the rows of d_z"}},
    {"scalar", "f({0}), f the activation", {"f'({0}) {d}"}},
    {"residual_add", "{0} + g {1}, g = one element of {2}", {"{d}", "g {d}", "<{d}, {1}>"}},
    {"softmax_cross_entropy", "-log softmax({0})[label]", {"(softmax({0}) - onehot(label)) {d}"}},
    {"layer_norm",
     "({0} - mean) / deviation * {1} + {2}",
     {"through mean and deviation", "sum over the rows of {d} (x - mean) / deviation", "sum over the rows of {d}"}},
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

std::string filled(std::string_view text, const std::vector<std::string>& inputs, const std::string& y) {
  std::string out(text);
  if (inputs.size() < 3) replace_all(out, " + {2}", "");  // without a bias
  for (std::size_t i = 0; i < inputs.size(); ++i) replace_all(out, "{" + std::to_string(i) + "}", inputs[i]);
  replace_all(out, "{y}", y);
  replace_all(out, "{d}", "d_" + y);
  return out;
}

}  // namespace rz::tool
