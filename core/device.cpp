#include "core/device.h"

#include <charconv>

#include "core/backend.h"
#include "core/error.h"

namespace rz {

Device Device::parse(std::string_view given) {
  if (given == "cpu") return cpu();
  int index = 0;
  bool is_cuda = given == "cuda";
  if (given.starts_with("cuda:")) {
    const std::string_view digits = given.substr(5);
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    is_cuda = failure == std::errc() && end == digits.data() + digits.size() && index >= 0 && index < 256;
  }
  RZ_CHECK(value, is_cuda, "device: {} is not a device (cpu, cuda, cuda:1)", given);
  RZ_CHECK(device, cuda_built(), "device: {} was asked for, but this build has no CUDA backend (use cpu)", given);
  const Device device{DeviceKind::cuda, static_cast<std::uint8_t>(index)};
  RZ_CHECK(device, has_device(device), "device: {} was asked for, but there is no such GPU (use cpu)", given);
  return device;
}

std::string Device::text() const {
  switch (kind) {
    case DeviceKind::cpu:
      return "cpu";
    case DeviceKind::cuda:
      return "cuda:" + std::to_string(index);
    case DeviceKind::guarded:
      return "guarded:" + std::to_string(index);
  }
  return "?";
}

}  // namespace rz
