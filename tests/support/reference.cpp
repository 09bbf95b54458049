#include "support/reference.h"

#include <charconv>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace rz::test {

const nlohmann::json& reference(const char* file) {
  static std::map<std::string, nlohmann::json> parsed;
  const auto found = parsed.find(file);
  if (found != parsed.end()) return found->second;
  const std::string path = std::string(RZ_TEST_SOURCE_DIR "/reference/") + file;
  std::ifstream stream(path);
  if (!stream) throw std::runtime_error("cannot open " + path);
  return parsed[file] = nlohmann::json::parse(stream);
}

double number(const nlohmann::json& value) {
  if (!value.is_string()) return value.get<double>();
  const std::string& text = value.get_ref<const std::string&>();
  double result = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  // 1e-400 counts as 0
  if ((error != std::errc() && error != std::errc::result_out_of_range) || end != text.data() + text.size())
    throw std::runtime_error("'" + text + "' is not a number");
  return result;
}

std::vector<double> numbers(const nlohmann::json& value) {
  if (!value.is_array()) return {number(value)};
  std::vector<double> result;
  for (const nlohmann::json& element : value) {
    const std::vector<double> part = numbers(element);
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

}  // namespace rz::test
