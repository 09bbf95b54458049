// What `rezero train --explain` prints: two training steps of a tiny network on one example, each operation of the
// forward and backward pass with its formula and its numbers.
#pragma once

#include <span>
#include <string>

namespace rz::tool {

// `settings` as of --set, on top of a network of two units and one layer.   Throws: UsageError.
std::string explain_training(std::span<const std::string> settings);

}  // namespace rz::tool
