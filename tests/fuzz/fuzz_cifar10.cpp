// Any bytes give whole records with labels in range, or an Error and no records.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "data/cifar10.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rz::Dataset set;
  set.class_names.resize(10);
  try {
    rz::parse_cifar10({reinterpret_cast<const char*>(data), size}, "memory", set);
    if (set.size() * (set.features() + 1) != static_cast<std::int64_t>(size)) std::abort();
    for (std::uint16_t label : set.labels) {
      if (label > 9) std::abort();
    }
  } catch (const rz::Error& error) {
    if (error.message().find('\n') != std::string::npos || !set.pixels.empty()) std::abort();
  }
  return 0;
}
