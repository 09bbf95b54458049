#include "tools/rezero/recipe_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/nearest.h"
#include "data/text.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

std::string describe(const Value& value) {
  switch (value.kind) {
    case Value::boolean:
      return value.truth ? "true" : "false";
    case Value::integer:
      return fmt::format("{}", value.whole);
    case Value::real:
      return std::trunc(value.number) == value.number && std::fabs(value.number) < 1e15
                 ? fmt::format("{:.1f}", value.number)
                 : fmt::format("{}", value.number);
    case Value::string:
      return fmt::format("the string '{}'", printable(value.text));
    case Value::list:
      return fmt::format("a list of {}", value.items.size());
    case Value::other:
      break;
  }
  return "of another kind";
}

}  // namespace

void refuse(const Value& value, std::string_view wanted) {
  throw UsageError(fmt::format("is {}, but must be {}", describe(value), wanted));
}

std::int64_t integer_in(const Value& value, std::int64_t low, std::int64_t high) {
  if (value.kind == Value::integer && value.whole >= low && value.whole <= high) return value.whole;
  refuse(value, high == no_end ? fmt::format("an integer of at least {}", low)
                               : fmt::format("an integer from {} to {}", low, high));
}

double real_in(const Value& value, double low, double high, bool open) {
  const bool number = value.kind == Value::integer || value.kind == Value::real;
  if (number && std::isfinite(value.number) && value.number <= high &&
      (open ? value.number > low : value.number >= low))
    return value.number + 0.0;  // no -0: it is written "-0", which TOML reads as the integer 0
  if (low == -infinity) refuse(value, "a finite number");
  refuse(value, high == infinity ? fmt::format("a number {} {}", open ? "above" : "of at least", low)
                                 : fmt::format("a number {} {} to {}", open ? "above" : "from", low, high));
}

std::string text_of(const Value& value) {
  if (value.kind != Value::string) refuse(value, "a string");
  return value.text;
}

std::string word_of(const Value& value, std::span<const std::string_view> words) {
  if (value.kind == Value::string && std::ranges::find(words, value.text) != words.end()) return value.text;
  const std::string word = value.kind == Value::string ? value.text : "";
  refuse(value, fmt::format("one of {}{}", fmt::join(words, ", "), did_you_mean(word, words)));
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + '"';
}

}  // namespace rz::tool
