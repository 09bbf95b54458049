// What the authors' notebook shows for the fully connected nets of depth 64 on CIFAR-10, to stand beside our own.
#pragma once

#include <span>

#include "tools/rezero/recipe.h"

namespace rz::tool {

// Mean training loss of epochs 1 to 10 in the notebook, if the recipe has its setting; else empty.
std::span<const double> notebook_losses(const Recipe& recipe);

}  // namespace rz::tool
