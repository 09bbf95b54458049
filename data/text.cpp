#include "data/text.h"

#include <fmt/format.h>

namespace rz {

std::string printable(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 100)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return text.size() > 100 ? out + "..." : out;
}

std::string reason_of(const std::exception& error) {
  std::string_view text = error.what();
  if (const std::size_t end = text.find("] "); text.starts_with('[') && end != std::string_view::npos)
    text.remove_prefix(end + 2);
  return printable(text);
}

std::string byte_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} byte{}", bytes, bytes == 1 ? "" : "s");
  double value = static_cast<double>(bytes) / 1000;
  const char* units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  int unit = 0;
  for (; value >= 999.5 && unit < 5; ++unit) value /= 1000;
  return fmt::format("{:.{}f} {}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, units[unit]);
}

std::string grouped(std::uint64_t number) {
  std::string out = std::to_string(number);
  for (std::size_t k = out.size(); k > 3; k -= 3) out.insert(k - 3, ",");
  return out;
}

}  // namespace rz
