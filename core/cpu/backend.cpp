#include "core/cpu/backend.h"

#include <cblas.h>

#include <string_view>

namespace rz {

std::unique_ptr<Backend> make_cpu_backend() { return std::make_unique<cpu::CpuBackend>(); }

namespace cpu {

// OpenBLAS's own threads would fight with ours, cost more than they give on small products and change bits; our pool
// calls it once per panel.
CpuBackend::CpuBackend() : kernels_(kernels()) { openblas_set_num_threads(1); }

std::string CpuBackend::description() const {
  const std::string_view config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."
  const std::size_t second_space = config.find(' ', config.find(' ') + 1);
  return cpu_model() + ", " + cpu_isa() + ", " + std::string(config.substr(0, second_space)) + " (" +
         openblas_get_corename() + ")";
}

}  // namespace cpu
}  // namespace rz
