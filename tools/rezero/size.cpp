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

struct Amount {
  double number = 0;
  std::string unit;   // as it was written
  double factor = 0;  // bytes; 0: of no known unit
};

Amount amount_of(std::string_view text) {
  Amount amount;
  const auto [rest, error] = std::from_chars(text.begin(), text.end(), amount.number);
  std::string unit;
  for (const char* c = rest; c != text.end(); ++c) {
    if (*c != ' ') unit += *c >= 'A' && *c <= 'Z' ? static_cast<char>(*c - 'A' + 'a') : *c;
  }
  amount.unit = std::string(rest, text.end());
  for (const auto& known : units)
    if (error == std::errc() && unit == known.name) amount.factor = known.bytes;
  return amount;
}

}  // namespace

std::int64_t parse_size(std::string_view text, std::string_view what) {
  const Amount amount = amount_of(text);
  if (amount.factor == 0) {
    throw UsageError(
        fmt::format("{}: '{}' is no amount of memory (bytes, or a number with KB, MB, GB, KiB, MiB or GiB)", what,
                    printable(text)));
  }
  const double bytes = amount.number * amount.factor;
  if (!(bytes >= 1 && bytes <= std::ldexp(1.0, 62))) {
    throw UsageError(
        fmt::format("{}: '{}' is not an amount of memory between 1 byte and 2^62 bytes", what, printable(text)));
  }
  return static_cast<std::int64_t>(bytes);
}

std::string size_text(std::int64_t bytes, std::string_view like) {
  const Amount amount = amount_of(like);
  const double value = static_cast<double>(bytes) / amount.factor;
  if (amount.factor == 1) return fmt::format("{}{}", bytes, amount.unit);
  const double step = std::pow(10.0, std::floor(std::log10(value)) - 2);
  const double rounded = std::ceil(value / step - 1e-9) * step;
  return rounded < 1000 ? fmt::format("{:.3g}{}", rounded, amount.unit) : fmt::format("{:.0f}{}", rounded, amount.unit);
}

}  // namespace rz::tool
