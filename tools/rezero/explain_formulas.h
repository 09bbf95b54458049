// Operations and updates as formulas for `rezero train --explain`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "optim/options.h"

namespace rz::tool {

struct OperationFormula {
  std::string_view name;
  std::string_view forward;                // {0}, {1}, ... are the inputs, {f} the function that it applies
  std::vector<std::string_view> backward;  // the gradient of each input; {y} is the output, {d} its gradient
};

// Of an operation that is not in the list, forward is "" and backward empty.
const OperationFormula& formula_of(std::string_view operation);

// The text with inputs, output and its gradient, and the function put in.
std::string filled(std::string_view text, const std::vector<std::string>& inputs, const std::string& y,
                   std::string_view function);

struct StateFormula {
  std::string_view slot, symbol, formula;  // "sum_of_squares", "s", "s + g^2"
};
struct UpdateFormula {
  bool adds_decay = false;  // g = scale d + weight_decay w, else g = scale d
  std::vector<StateFormula> state;
  std::string value;  // of w
};
// What the rule does to a parameter of this role and number of axes.   `options`: resolved
UpdateFormula update_formula(const optim::OptimizerOptions& options, Role role, int rank);

}  // namespace rz::tool
