// User's text in a script: valid UTF-8 without control characters, as XML wants it.
#include <cstdint>

#include "tools/report/gnuplot.h"

namespace rz::report {
namespace {

// The code point that text starts with and its length in bytes; U+FFFD of length 1 where it is not UTF-8.
struct CodePoint {
  std::uint32_t value;
  std::size_t bytes;
};
CodePoint first_code_point(std::string_view text) {
  constexpr CodePoint bad{0xFFFD, 1};
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return bad;
  std::uint32_t value = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return bad;
    value = value << 6 | (byte(i) & 0x3F);
  }
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < least[length] || value > 0x10FFFF || surrogate || (value & 0xFFFE) == 0xFFFE) return bad;
  return {value, length};
}

bool is_control(std::uint32_t value) { return value < 0x20 || (value >= 0x7F && value < 0xA0); }

}  // namespace

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(first_code_point(text).bytes);
  return count;
}

std::string shortened(std::string_view text, std::size_t limit) {
  const bool cut = characters(text) > limit;
  std::string result;
  for (std::size_t used = 0; !text.empty() && used < (cut ? limit - 1 : limit); ++used) {
    const CodePoint point = first_code_point(text);
    if (is_control(point.value))
      result += ' ';
    else if (point.value == 0xFFFD)
      result += "\uFFFD";
    else
      result += text.substr(0, point.bytes);
    text.remove_prefix(point.bytes);
  }
  return cut ? result + "\u2026" : result;
}

std::string quoted(std::string_view text, std::size_t limit) {
  std::string result = "\"";
  for (const char c : shortened(text, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x80 || c == ' ' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (plain) {
      result += c;
    } else {
      result += '\\';
      for (const int shift : {6, 3, 0}) result += static_cast<char>('0' + (byte >> shift & 7));
    }
  }
  return result + "\"";
}

}  // namespace rz::report
