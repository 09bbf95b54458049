#include "tools/rezero/json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace rz::tool {

std::string json_number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "null"; }

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_list(std::span<const double> values) {
  std::string out = "[";
  for (const double value : values) out += (out.size() > 1 ? ", " : "") + json_number(value);
  return out + "]";
}

}  // namespace rz::tool
