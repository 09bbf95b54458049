// Any bytes give tensors that lie within the file, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "data/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    std::size_t bytes = 0;
    const rz::SafetensorsContents contents = rz::parse_safetensors({reinterpret_cast<const char*>(data), size});
    for (const rz::NamedTensor& t : contents.tensors) bytes += t.tensor.bytes();
    if (bytes > size) std::abort();
  } catch (const rz::Error& error) {
    if (error.message().find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
