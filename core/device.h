// Device: where a tensor lives. The CPU is always there; other machines register their backend (core/backend.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rz {

enum class DeviceKind : std::uint8_t {
  cpu,
  cuda,
  guarded
};  // guarded: a test's device whose memory the host cannot touch

struct Device {
  DeviceKind kind = DeviceKind::cpu;
  std::uint8_t index = 0;

  static Device cpu() { return {}; }
  static Device parse(
      std::string_view text);  // "cpu", "cuda", "cuda:1".   Throws: value, device (not built, not present)
  std::string text() const;
  friend bool operator==(Device, Device) = default;
};

}  // namespace rz
