// The result of an analysis as text for people.
#pragma once

#include <string>
#include <string_view>

#include "tools/isometry/spectrum.h"

namespace rz::tool {

// A block of lines: what was analysed, the summary, and a sentence on what it means.
std::string spectrum_text(const isometry::Result& result, std::string_view network, std::string_view weights,
                          std::string_view inputs);

// "all singular values are exactly 1: dynamical isometry"
std::string verdict(const isometry::Result& result);

}  // namespace rz::tool
