// The update rules that Optimizer::create can make; a file each. They take resolved options.
#pragma once

#include <memory>

#include "optim/optimizer.h"

namespace rz::optim {

std::unique_ptr<Optimizer> make_sgd(const OptimizerOptions& options);      // sgd.cpp
std::unique_ptr<Optimizer> make_adagrad(const OptimizerOptions& options);  // adagrad.cpp
std::unique_ptr<Optimizer> make_rmsprop(const OptimizerOptions& options);  // rmsprop.cpp
std::unique_ptr<Optimizer> make_adam(const OptimizerOptions& options);     // adam.cpp: adam and adamw
std::unique_ptr<Optimizer> make_lamb(const OptimizerOptions& options);     // lamb.cpp
std::unique_ptr<Optimizer> make_lion(const OptimizerOptions& options);     // lion.cpp
std::unique_ptr<Optimizer> make_muon(const OptimizerOptions& options);     // muon.cpp

}  // namespace rz::optim
