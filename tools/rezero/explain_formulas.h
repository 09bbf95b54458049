// Operations as formulas for `rezero train --explain`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rz::tool {

struct OperationFormula {
  std::string_view name;
  std::string_view forward;                // {0}, {1}, ... are the inputs
  std::vector<std::string_view> backward;  // the gradient of each input; {y} is the output, {d} its gradient
};

// Of an operation that is not in the list, forward is "" and backward empty.
const OperationFormula& formula_of(std::string_view operation);

// The text with inputs, output and its gradient put in.
std::string filled(std::string_view text, const std::vector<std::string>& inputs, const std::string& y);

}  // namespace rz::tool
