// Rules that write the gradients of three inputs at once.
#pragma once

#include "autograd/tape.h"

namespace rz {

// run(to) with the destinations that are wanted; where one variable is given twice, with one at a time.
template <class Run>
void write_together(Gradients& d, Run&& run) {
  Destination to[3];
  const bool apart = d.same(0, 1) || d.same(0, 2) || d.same(1, 2);
  for (int i = 0; i < 3; ++i) {
    if (!d.wanted(i)) continue;
    to[i] = d.destination(i);
    if (!apart) continue;
    run(to);
    to[i] = Destination{};
  }
  if (!apart) run(to);
}

}  // namespace rz
