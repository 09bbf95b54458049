#include "tools/rezero/size.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string>

#include "data/text.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

constexpr struct {
  const char* name;
  double bytes;
} units[] = {{"", 1},     {"b", 1},         {"kb", 1e3},      {"mb", 1e6},
             {"gb", 1e9}, {"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}};

}  // namespace

std::int64_t parse_size(std::string_view text, std::string_view what) {
  double number = 0;
  const char* const end = text.end();
  const auto [rest, error] = std::from_chars(text.begin(), end, number);
  std::string unit;
  for (const char* c = rest; c != end; ++c) {
    if (*c != ' ') unit += *c >= 'A' && *c <= 'Z' ? static_cast<char>(*c - 'A' + 'a') : *c;
  }
  for (const auto& known : units) {
    if (error != std::errc() || unit != known.name) continue;
    const double bytes = number * known.bytes;
    if (!(bytes >= 1 && bytes <= std::ldexp(1.0, 62)))
      throw UsageError(
          fmt::format("{}: '{}' is not an amount of memory between 1 byte and 2^62 bytes", what, printable(text)));
    return static_cast<std::int64_t>(bytes);
  }
  throw UsageError(fmt::format("{}: '{}' is no amount of memory (bytes, or a number with KB, MB, GB, KiB, MiB or GiB)",
                               what, printable(text)));
}

}  // namespace rz::tool
