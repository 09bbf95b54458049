// Any bytes give an array that lies within the file, or an Error; what was read is written so that it reads the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "data/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    if (bytes.starts_with("PK")) {
      rz::parse_npz(bytes);
      return 0;
    }
    const rz::Tensor tensor = rz::parse_npy(bytes);
    if (tensor.bytes() > 2 * size) std::abort();  // halves become floats
    const std::string written = rz::npy_bytes(tensor);
    if (rz::npy_bytes(rz::parse_npy(written)) != written) std::abort();
  } catch (const rz::Error& error) {
    if (error.message().find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
