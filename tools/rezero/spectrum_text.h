// The result of an analysis as text for people.
#pragma once

#include <string>
#include <string_view>

#include "tools/isometry/spectrum.h"
#include "tools/rezero/recipe.h"

namespace rz::tool {

// A block of lines: what was analysed, the summary, and a sentence on what it means.
std::string spectrum_text(const isometry::Result& result, std::string_view part, std::string_view network,
                          std::string_view weights, std::string_view inputs);

// "all singular values are exactly 1: dynamical isometry"
std::string verdict(const isometry::Result& result);

// Directions that the last norm of a Transformer's part takes from each token, as a line; "" where there is none. Of
// LayerNorm y = (x - mean) / deviation they are those of the mean, exactly, and of x - mean, but for eps / variance.
std::string norm_text(const ModelRecipe& model, const std::string& of, std::int64_t tokens);

}  // namespace rz::tool
