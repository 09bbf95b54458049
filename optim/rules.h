// The update rules that Optimizer::create can make; a file each.
#pragma once

#include <memory>

#include "optim/optimizer.h"

namespace rz::optim {

std::unique_ptr<Optimizer> make_sgd(const OptimizerOptions& options);      // sgd.cpp
std::unique_ptr<Optimizer> make_adagrad(const OptimizerOptions& options);  // adagrad.cpp

}  // namespace rz::optim
