// The kernels that `rezero bench machine` measures, each with what bounds it.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace rz::tool {

enum class Roof { fma_f32, fma_f64, read_cache, update_cache, read_memory, update_memory };

struct Kernel {
  std::string name;
  Roof roof;
  double giga;  // of a run: 10^9 floating-point operations, or bytes where the roof is a bandwidth
  std::function<void()> run;
};

// Products; kernels over 1 MiB for each thread in use; updates over 256 MiB. Bytes count each array read or written
// once, one that is updated in place twice.
std::vector<Kernel> bench_kernels();

}  // namespace rz::tool
