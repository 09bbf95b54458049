// What `rezero info --measure` prints of a network at its start.
#pragma once

#include <string>

#include "tools/isometry/start.h"

namespace rz::tool {

// A table of layers, at most 16 of them, then the singular values of the stack and what they mean.
std::string start_text(const isometry::Start& start);
std::string start_json(const isometry::Start& start);  // all layers

}  // namespace rz::tool
