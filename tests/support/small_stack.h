// Runs a function on a thread with a stack of 1 MiB: what recurses with the depth of a network does not survive it.
#pragma once

#include <functional>

namespace rz::test {

void on_small_stack(const std::function<void()>& f);  // what f throws is thrown again here

}  // namespace rz::test
