// Numbers as users write them, in lists and wrongly, and as tables show them.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace rz::tool {

// An option that takes numbers with commas between them, and may be given several times. `names` stands for them in
// help. An empty item is refused.
void add_list(CLI::App& command, const std::string& flag, std::vector<double>& values, const std::string& text,
              const std::string& names);
void add_list(CLI::App& command, const std::string& flag, std::vector<std::int64_t>& values, const std::string& text,
              const std::string& names);

// Of a text that could not be read as a number: "'1,5' is no number", "9e999 is beyond the range of numbers".
std::string why_no_number(std::string_view text);
// For CLI::Option::check: the parser takes the largest number in place of one beyond 2^63.
std::string check_whole_number(const std::string& text);

std::string_view trimmed(std::string_view text);  // without blanks at its ends

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();  // what is not known
std::string count_text(std::int64_t value);                              // 1,234,567
std::string number_text(double value, int digits = 4);                   // "-" for NaN
std::string number_text(double value, double error, int digits);  // "1.5 +- 0.2"; without an error of rounding alone

}  // namespace rz::tool
