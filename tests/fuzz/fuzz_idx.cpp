// Any bytes, plain or compressed, give an array as long as its extents say, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "data/idx.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const rz::IdxArray array = rz::parse_idx({reinterpret_cast<const char*>(data), size});
    std::size_t product = 1;
    for (const std::int64_t extent : array.extents) product *= static_cast<std::size_t>(extent);
    if (array.bytes.size() != product || product / 1032 > size) std::abort();
  } catch (const rz::Error& error) {
    if (error.message().find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
