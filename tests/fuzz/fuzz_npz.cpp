// Any bytes give arrays that the archive can hold, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "data/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    for (const rz::NamedTensor& t : rz::parse_npz({reinterpret_cast<const char*>(data), size})) {
      if (t.tensor.bytes() / 2 / 1032 > size) std::abort();  // halves become floats
    }
  } catch (const rz::Error& error) {
    if (error.message().find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
