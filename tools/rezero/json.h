// Pieces of JSON text.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace rz::tool {

std::string json_number(double value);  // the shortest text that reads back to the same double; null if not finite
std::string json_string(std::string_view text);         // quoted and escaped; what is not UTF-8 is replaced
std::string json_list(std::span<const double> values);  // [1, 2.5, null]

}  // namespace rz::tool
