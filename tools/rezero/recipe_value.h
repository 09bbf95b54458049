// A value of a recipe, free of the TOML parser's types, and its checks. Messages go on after the key: "is 0, but must
// be an integer from 1 to 9".
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rz::tool {

struct Value {
  enum Kind { boolean, integer, real, string, list, other };
  Kind kind = other;
  bool truth = false;
  std::int64_t whole = 0;
  double number = 0;  // of integers too
  std::string text;
  std::vector<Value> items;
};

inline constexpr std::int64_t no_end = std::numeric_limits<std::int64_t>::max();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

// Each throws UsageError.
[[noreturn]] void refuse(const Value& value, std::string_view wanted);
std::int64_t integer_in(const Value& value, std::int64_t low, std::int64_t high);
double real_in(const Value& value, double low, double high, bool open);  // finite; `open`: low itself is not allowed
std::string text_of(const Value& value);
std::string word_of(const Value& value, std::span<const std::string_view> words);

std::string toml_string(std::string_view text);

}  // namespace rz::tool
