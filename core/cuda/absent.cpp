// Stands in for core/cuda in a build without CUDA.
#include "core/backend.h"
#include "core/error.h"

namespace rz {

bool cuda_built() { return false; }

std::unique_ptr<Backend> make_cuda_backend(int) {
  RZ_FAIL(device, "cuda: this build has no CUDA backend (configure with -DREZERO_CUDA=ON)");
}

}  // namespace rz
